package io.qfuse.qcow2.check;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * The cells of {@link #CLUSTERS} adjacent clusters, in bytes of which each cell takes one, two or four: as many as the largest
 * of them needs. How many is told by the length.
 */
final class TallyLeaf {

    static final int BITS = 9;
    static final int CLUSTERS = 1 << BITS;

    private static final VarHandle SHORTS =
            MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.nativeOrder());
    private static final VarHandle INTS = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.nativeOrder());

    private TallyLeaf() {}

    static int get(byte[] leaf, int at) {
        return switch (leaf.length >>> BITS) {
            case 1 -> leaf[at] & 0xff;
            case 2 -> (short) SHORTS.get(leaf, 2 * at) & 0xffff;
            default -> (int) INTS.get(leaf, 4 * at);
        };
    }

    /** Whether the cells have room for a value of at least 0. */
    static boolean holds(byte[] leaf, int cell) {
        return leaf.length >>> BITS == 4 || cell >>> (8 * (leaf.length >>> BITS)) == 0;
    }

    /** Sets a cell that {@linkplain #holds has room}. */
    static void set(byte[] leaf, int at, int cell) {
        switch (leaf.length >>> BITS) {
            case 1 -> leaf[at] = (byte) cell;
            case 2 -> SHORTS.set(leaf, 2 * at, (short) cell);
            default -> INTS.set(leaf, 4 * at, cell);
        }
    }

    /** The same cells with twice the room for each. */
    static byte[] widened(byte[] leaf) {
        byte[] wide = new byte[2 * leaf.length];
        for (int i = 0; i < CLUSTERS; i++) {
            set(wide, i, get(leaf, i));
        }
        return wide;
    }
}
