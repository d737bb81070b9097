package io.qfuse.qcow2.crypto;

import io.qfuse.qcow2.Qcow2Exception;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How sectors are encrypted.
 *
 * @param algorithm the block cipher
 * @param mode how its blocks make a sector
 * @param keyBytes bytes of the whole key; with XTS two keys of half as many
 * @param iv how a sector's initialization vector comes from its number
 * @param ivHash the hash that {@link IvGenerator.Kind#ESSIV} makes its key with, and which may be named with the others
 */
record CipherSpec(
        Algorithm algorithm,
        Mode mode,
        int keyBytes,
        IvGenerator.Kind iv,
        @Nullable Hash ivHash) {

    /** The modes of operation. */
    enum Mode {
        XTS,
        CBC,
        ECB,
        CTR
    }

    /** The legacy encryption: AES-128-CBC. */
    static final CipherSpec LEGACY = new CipherSpec(Algorithm.AES, Mode.CBC, 16, IvGenerator.Kind.PLAIN64, null);

    private static final Pattern MODE = Pattern.compile("([a-z0-9]+)-([a-z0-9]+)(?::([a-z0-9]+))?");
    private static final int XTS_BLOCK = 16;

    /**
     * What a LUKS header's words mean.
     *
     * @param mode such as {@code "cbc-essiv:sha256"}
     * @throws Qcow2Exception where they name what is not known, or what does not go together
     */
    static CipherSpec parse(String cipher, String mode, int keyBytes, Path path) throws Qcow2Exception {
        Matcher words = MODE.matcher(mode);
        if (!words.matches()) {
            throw unsupported(path, "unknown LUKS cipher mode \"" + mode + "\"");
        }
        CipherSpec spec = new CipherSpec(
                find(Algorithm.values(), cipher, "cipher", path),
                find(Mode.values(), words.group(1), "cipher mode", path),
                keyBytes,
                find(IvGenerator.Kind.values(), words.group(2), "IV generator", path),
                words.group(3) == null ? null : Hash.of(words.group(3), path));
        spec.requirePossible(path);
        return spec;
    }

    private static <E extends Enum<E>> E find(E[] known, String name, String what, Path path) throws Qcow2Exception {
        return Arrays.stream(known)
                .filter(value -> value.name().toLowerCase(Locale.ROOT).equals(name))
                .findFirst()
                .orElseThrow(() -> unsupported(path, "unknown LUKS " + what + " \"" + name + "\""));
    }

    private void requirePossible(Path path) throws Qcow2Exception {
        boolean halves = mode != Mode.XTS || (keyBytes % 2 == 0 && algorithm.blockSize() == XTS_BLOCK);
        if (!halves || !algorithm.takes(cipherKeyBytes())) {
            throw unsupported(
                    path,
                    "LUKS key bytes are " + keyBytes + ", which " + algorithm.label() + "-" + modeLabel()
                            + " does not take");
        }
        if (iv == IvGenerator.Kind.ESSIV) {
            if (ivHash == null) {
                throw unsupported(path, "LUKS IV generator essiv names no hash");
            }
            int length = ivHash.create().getDigestLength();
            if (!algorithm.takes(length)) {
                throw unsupported(
                        path,
                        "LUKS IV generator essiv:" + ivHash.label() + " gives keys of " + length + " bytes, which "
                                + algorithm.label() + " does not take");
            }
        }
    }

    /** Bytes of the key of the block cipher itself. */
    private int cipherKeyBytes() {
        return mode == Mode.XTS ? keyBytes / 2 : keyBytes;
    }

    /** The cipher with its key's length in bits, as QEMU names it. */
    String algorithmLabel() {
        return algorithm == Algorithm.SM4 ? algorithm.label() : algorithm.label() + "-" + cipherKeyBytes() * Byte.SIZE;
    }

    /** The mode's name. */
    String modeLabel() {
        return mode.name().toLowerCase(Locale.ROOT);
    }

    /** The IV generator's name. */
    String ivLabel() {
        return iv.name().toLowerCase(Locale.ROOT);
    }

    /** A cipher under a key, in one direction; the key may be wiped afterwards. */
    SectorCipher open(byte[] key, boolean encrypt) {
        return switch (mode) {
            case XTS -> {
                byte[] first = Arrays.copyOf(key, cipherKeyBytes());
                byte[] second = Arrays.copyOfRange(key, cipherKeyBytes(), keyBytes);
                SectorCipher xts =
                        new XtsSectors(algorithm.ecb(first, encrypt), algorithm.ecb(second, true), generator(key));
                Arrays.fill(first, (byte) 0);
                Arrays.fill(second, (byte) 0);
                yield xts;
            }
            case CBC -> new CbcSectors(algorithm.cbc(key, encrypt), encrypt, generator(key));
            case ECB -> new EcbSectors(algorithm.ecb(key, encrypt));
            case CTR -> new CtrSectors(algorithm.ecb(key, true), generator(key));
        };
    }

    private IvGenerator generator(byte[] key) {
        Blocks essiv = null;
        if (iv == IvGenerator.Kind.ESSIV && ivHash != null) {
            byte[] hashed = ivHash.create().digest(key);
            essiv = algorithm.ecb(hashed, true);
            Arrays.fill(hashed, (byte) 0);
        }
        return new IvGenerator(iv, algorithm.blockSize(), SectorCipher.MOST / SectorCipher.SECTOR, essiv);
    }

    private static Qcow2Exception unsupported(Path path, String why) {
        return new Qcow2Exception(Qcow2Exception.Kind.UNSUPPORTED, path, why);
    }
}
