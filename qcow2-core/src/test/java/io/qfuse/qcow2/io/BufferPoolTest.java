package io.qfuse.qcow2.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class BufferPoolTest {

    private final BufferPool pool = new BufferPool(16384);

    @Test
    void closed_buffer_is_used_again_for_sizes_of_its_class() {
        NativeBuffer first = pool.take(5000);
        assertThat(first.size()).isEqualTo(8192);
        assertThat(first.address() % NativeBuffer.PAGE).isZero();
        first.close();
        first.close();
        try (NativeBuffer second = pool.take(8192);
                NativeBuffer third = pool.take(4097)) {
            assertThat(second).isSameAs(first);
            assertThat(third).isNotSameAs(first);
        }
        pool.clear();
    }

    @Test
    void sizes_outside_the_classes_are_refused() {
        assertThatThrownBy(() -> pool.take(0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> pool.take((1 << 30) + 1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void raw_memory_helpers_move_bytes_and_numbers() {
        try (NativeBuffer memory = pool.take(4096)) {
            long at = memory.address();
            NativeBuffer.zero(at, 4096);
            NativeBuffer.put(at, new byte[] {0, 1, 2, 3, 4}, 1, 4);
            NativeBuffer.copy(at, at + 100, 4);
            byte[] seen = new byte[6];
            NativeBuffer.get(at + 100, seen, 1, 5);
            assertThat(seen).containsExactly(0, 1, 2, 3, 4, 0);
            NativeBuffer.putLong(at, -2);
            NativeBuffer.putInt(at + 8, 77);
            NativeBuffer.putShort(at + 12, (short) 9);
            assertThat(NativeBuffer.getLong(at)).isEqualTo(-2);
            assertThat(NativeBuffer.getInt(at + 8)).isEqualTo(77);
            assertThat(NativeBuffer.getShort(at + 12)).isEqualTo((short) 9);
        }
    }
}
