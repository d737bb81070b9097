package io.qfuse.qcow2;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Locale;

/** Numbers of bytes as people write and read them; suffixes count in powers of 1024. */
public final class Sizes {

    private static final String SUFFIXES = "bkmgtpe";
    private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    private Sizes() {}

    /**
     * Reads a size: {@code 512}, {@code 64k}, {@code 1.5G}.
     *
     * @return 0 to 2^63 - 1
     * @throws IllegalArgumentException where the text is no size, is no whole number of bytes, or is too large
     */
    public static long parse(String text) {
        String number = text.toLowerCase(Locale.ROOT);
        int power = number.isEmpty() ? -1 : SUFFIXES.indexOf(number.charAt(number.length() - 1));
        if (power >= 0) {
            number = number.substring(0, number.length() - 1);
        }
        if (!number.matches("[0-9]{1,19}(\\.[0-9]{1,9})?")) {
            throw new IllegalArgumentException(
                    "'" + text + "' is not a size: write bytes, or a number with k, M, G, T, P or E behind it");
        }
        try {
            return new BigDecimal(number)
                    .multiply(BigDecimal.valueOf(1L << (10 * Math.max(power, 0))))
                    .longValueExact();
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("'" + text + "' is not a whole number of bytes below 8E", e);
        }
    }

    /** A size of at least 0 for reading: three digits and a unit, {@code 1.5 GiB}. */
    public static String format(long bytes) {
        int unit = 0;
        BigDecimal number = BigDecimal.valueOf(bytes);
        // From 1000 on, not 1024: a fourth digit would not be shown.
        while (number.compareTo(BigDecimal.valueOf(1000)) >= 0 && unit < UNITS.length - 1) {
            number = number.divide(BigDecimal.valueOf(1024));
            unit++;
        }
        BigDecimal shown = number.round(new MathContext(3, RoundingMode.HALF_EVEN));
        return shown.stripTrailingZeros().toPlainString() + " " + UNITS[unit];
    }
}
