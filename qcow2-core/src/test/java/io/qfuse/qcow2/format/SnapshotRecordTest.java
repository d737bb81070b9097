package io.qfuse.qcow2.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.Qcow2Exception;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

final class SnapshotRecordTest {

    private static final Path PATH = Path.of("disk.qcow2");

    @Test
    void an_entry_is_decoded_whatever_extra_data_it_has() throws Qcow2Exception {
        for (int extra : new int[] {0, 8, 16, 24, 1024}) {
            byte[] entry = entry(extra);
            assertThat(SnapshotRecord.length(entry, 3, PATH)).isEqualTo((40 + extra + 1 + 5 + 7) & -8);
            SnapshotRecord record = SnapshotRecord.decode(entry, PATH);
            assertThat(record.id()).isEqualTo("7");
            assertThat(record.name()).isEqualTo("early");
            assertThat(record.l1Offset()).isEqualTo(0x50000);
            assertThat(record.l1Size()).isEqualTo(0xffff_fff0L);
            assertThat(record.vmStateSize()).isEqualTo(extra >= 8 ? 1L << 40 : 99);
            assertThat(record.virtualSize()).isEqualTo(extra >= 16 ? 1L << 30 : -1);
            assertThat(record.icount()).isEqualTo(extra >= 24 ? 5 : -1);
        }
    }

    @Test
    void extra_data_longer_than_anyone_writes_are_refused() {
        byte[] entry = entry(0);
        ByteBuffer.wrap(entry).putInt(36, -1);
        assertThatThrownBy(() -> SnapshotRecord.length(entry, 3, PATH))
                .hasMessage(
                        "disk.qcow2: extra data size of entry 3 of the snapshot table is 4294967295, not 0 to 1024");
        assertThatThrownBy(() -> SnapshotRecord.decode(entry, PATH)).hasMessageContaining("cut off");
    }

    @Test
    void a_name_that_is_cut_off_is_refused() {
        byte[] entry = Arrays.copyOf(entry(24), 40 + 24 + 5);
        assertThatThrownBy(() -> SnapshotRecord.decode(entry, PATH))
                .hasMessage("disk.qcow2: the snapshot table is cut off");
    }

    private static byte[] entry(int extra) {
        ByteBuffer out = ByteBuffer.allocate((40 + Math.max(extra, 24) + 6 + 7) & -8);
        out.putLong(0x50000).putInt(0xffff_fff0).putShort((short) 1).putShort((short) 5);
        out.putInt(1000).putInt(2000).putLong(3000).putInt(99).putInt(extra);
        out.putLong(1L << 40).putLong(1L << 30).putLong(5);
        out.position(40 + extra).put("7early".getBytes(StandardCharsets.US_ASCII));
        return out.array();
    }
}
