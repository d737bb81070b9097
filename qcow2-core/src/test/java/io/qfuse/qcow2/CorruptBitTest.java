package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.create.NewImage;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.RecordingFile;
import io.qfuse.qcow2.testing.RecordingFile.Call;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What happens to an image whose metadata turn out to be nonsense while it is in use (format notes, section 2). */
final class CorruptBitTest {

    private static final int CLUSTER = 4096;
    private static final long BROKEN = 3 * CLUSTER; // the guest cluster whose entry is nonsense

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void nonsense_met_by_a_reader_or_a_writer_sets_the_bit_durably_and_ends_all_writing(boolean byWrite)
            throws IOException {
        MemoryHostFile image = image("cluster_size=4k");
        RecordingFile file = new RecordingFile(image);
        try (Disk disk = TestDisk.open(file, new MemoryHostFile("no base"));
                NativeBuffer buffer = NativeBuffer.allocate(CLUSTER)) {
            NativeBuffer.zero(buffer.address(), CLUSTER);
            disk.write(0, buffer.address(), CLUSTER);
            disk.flush();
            file.take();
            assertCorrupt(() -> {
                if (byWrite) {
                    disk.write(BROKEN, buffer.address(), 512);
                } else {
                    disk.read(BROKEN, buffer.address(), 512);
                }
            });
            assertThat(file.take())
                    .containsExactly(new Call("write", HeaderField.INCOMPATIBLE, 8), new Call("sync", 0, 0));
            assertThat(HeaderReader.read(image).incompatible()).isEqualTo(Features.CORRUPT);
            assertThat(disk.writable()).isFalse();
            assertCorrupt(() -> disk.write(0, buffer.address(), 1));
            assertCorrupt(() -> disk.writeZeroes(0, CLUSTER, true));
            assertCorrupt(() -> disk.resize(1 << 20));
            assertCorrupt(disk::flush);
            disk.read(0, buffer.address(), CLUSTER);
            assertThatThrownBy(disk::close).isInstanceOf(Qcow2Exception.class);
        }
        assertThat(file.take()).isEmpty();
        assertThatThrownBy(() -> Features.requireSupported(HeaderReader.read(image.copy()), true, image.path()))
                .hasMessageContaining("marked corrupt");
    }

    @Test
    void nonsense_met_by_a_reader_of_an_image_open_for_reading_changes_no_byte() throws IOException {
        RecordingFile file = new RecordingFile(image("cluster_size=4k"));
        OpenOptions reading = OpenOptions.readOnly();
        try (Disk disk = new Qcow2Image(
                        new ImageFiles(file, null),
                        HeaderReader.read(file),
                        null,
                        reading,
                        Qcow2Image.ChainCaches.of(reading));
                NativeBuffer buffer = NativeBuffer.allocate(CLUSTER)) {
            assertCorrupt(() -> disk.read(BROKEN, buffer.address(), 512));
            disk.read(0, buffer.address(), CLUSTER);
        }
        assertThat(file.calls()).isEmpty();
    }

    @Test
    void version_2_has_no_bit_to_set_and_is_not_written_any_more_either() throws IOException {
        RecordingFile file = new RecordingFile(image("cluster_size=4k,compat=0.10"));
        Disk disk = TestDisk.open(file, new MemoryHostFile("no base"));
        try (NativeBuffer buffer = NativeBuffer.allocate(CLUSTER)) {
            assertCorrupt(() -> disk.write(BROKEN, buffer.address(), 512));
            assertCorrupt(() -> disk.write(0, buffer.address(), 512));
            assertThatThrownBy(disk::close).isInstanceOf(Qcow2Exception.class);
        }
        assertThat(file.calls()).isEmpty();
    }

    private interface Operation {
        void run() throws IOException;
    }

    private static void assertCorrupt(Operation operation) {
        assertThatThrownBy(operation::run)
                .isInstanceOfSatisfying(
                        Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Kind.CORRUPT))
                .hasMessageContaining("8200");
    }

    /** 64 KiB, all preallocated: the L2 table is at 0x4000, its entry 3 is made to begin inside a cluster. */
    private static MemoryHostFile image(String options) throws IOException {
        MemoryHostFile image = new MemoryHostFile("image.qcow2");
        CreateOptions parsed = CreateOptions.parse(List.of(options + ",preallocation=metadata,size=64k"));
        NewImage.plan(parsed, image.path()).writeTo(image);
        image.write(
                0x4018, ByteBuffer.allocate(8).putLong(0x8000_0000_0000_8200L).array(), 0, 8);
        return image;
    }
}
