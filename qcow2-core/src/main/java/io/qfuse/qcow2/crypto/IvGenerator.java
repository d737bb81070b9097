package io.qfuse.qcow2.crypto;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Makes the initialization vectors of sectors from their numbers. For one thread at a time. */
final class IvGenerator {

    /** The ways to make them, as LUKS headers name them. */
    enum Kind {
        /** The number's low 32 bits, little-endian. */
        PLAIN,
        /** The number, little-endian. */
        PLAIN64,
        /** The number, encrypted under a hash of the key. */
        ESSIV
    }

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private final long mask;
    private final int size;
    private final byte[] numbers;
    private final byte[] encrypted;
    private final @Nullable Blocks essiv;

    /**
     * A generator.
     *
     * @param size bytes of a vector
     * @param most the most sectors of one call
     * @param essiv what encrypts the numbers, or null
     */
    IvGenerator(Kind kind, int size, int most, @Nullable Blocks essiv) {
        this.mask = kind == Kind.PLAIN ? 0xffff_ffffL : -1;
        this.size = size;
        this.numbers = new byte[most * size];
        this.encrypted = new byte[most * size];
        this.essiv = essiv;
    }

    /** The vectors of sectors that follow each other, one behind the other; good until the next call. */
    byte[] generate(long first, int count) {
        Arrays.fill(numbers, 0, count * size, (byte) 0);
        for (int i = 0; i < count; i++) {
            LONGS.set(numbers, i * size, (first + i) & mask);
        }
        if (essiv == null) {
            return numbers;
        }
        essiv.apply(numbers, encrypted, 0, count * size);
        return encrypted;
    }
}
