package io.qfuse.cli;

import java.math.BigDecimal;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A number of bytes as users write it: {@code 512}, {@code 64k}, {@code 1.5G}; suffixes count in powers of 1024. */
final class ByteSize implements ITypeConverter<Long> {

    private static final String SUFFIXES = "bkmgtpe";

    @Override
    public Long convert(String text) {
        return parse(text);
    }

    /**
     * Reads a size.
     *
     * @throws TypeConversionException where it is none, is no whole number of bytes, or does not fit into 63 bits
     */
    static long parse(String text) {
        String number = text.strip();
        int power = number.isEmpty() ? -1 : SUFFIXES.indexOf(Character.toLowerCase(number.charAt(number.length() - 1)));
        if (power >= 0) {
            number = number.substring(0, number.length() - 1);
        }
        if (!number.matches("[0-9]{1,19}(\\.[0-9]{1,9})?")) {
            throw new TypeConversionException(
                    "'" + text + "' is not a size; write bytes, or a number with k, M, G, T, P or E behind it");
        }
        try {
            return new BigDecimal(number)
                    .multiply(BigDecimal.valueOf(1L << (10 * Math.max(power, 0))))
                    .longValueExact();
        } catch (ArithmeticException e) {
            throw new TypeConversionException("'" + text + "' is not a whole number of bytes below 8E");
        }
    }
}
