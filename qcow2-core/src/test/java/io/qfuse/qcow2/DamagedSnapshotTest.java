package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Of three snapshots the first is damaged: the others and the present state go on. */
@Tag("system")
final class DamagedSnapshotTest {

    private static final int SIZE = 1 << 20;
    private static final int L1_SIZE = 8;
    private static final int ID_LENGTH = 12;
    private static final int EXTRA_SIZE = 36;
    private static final int DISK_SIZE = 48;

    @TempDir
    private Path directory = Path.of("");

    private Path image = Path.of("");
    private long table;

    @BeforeEach
    void make_three_snapshots() throws IOException {
        image = directory.resolve("image.qcow2");
        QemuImg.run("create", "-q", "-f", "qcow2", image, SIZE);
        for (int i = 1; i <= 3; i++) {
            QemuImg.io(image, "write -P " + i + " 0 64k");
            QemuImg.run("snapshot", "-c", "s" + i, image);
        }
        table = get(64);
    }

    private long get(long at) throws IOException {
        try (FileChannel file = FileChannel.open(image)) {
            ByteBuffer value = ByteBuffer.allocate(8);
            file.read(value, at);
            return value.getLong(0);
        }
    }

    private void put(long at, Number value) throws IOException {
        ByteBuffer bytes = value instanceof Long l
                ? ByteBuffer.allocate(8).putLong(0, l)
                : ByteBuffer.allocate(4).putInt(0, value.intValue());
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE)) {
            file.write(bytes, at);
        }
    }

    /** The first snapshot cannot be read for this reason; all else is as before, and can be written. */
    private void assertHurtsNobodyElse(Kind kind, String why) throws IOException {
        ImageWithSnapshots open = Images.openWithSnapshots(image, OpenOptions.readWrite());
        try (Disk disk = open.disk();
                NativeBuffer buffer = NativeBuffer.allocate(1 << 16)) {
            List<Snapshot> snapshots = open.snapshots();
            assertOnlyTheFirstFails(snapshots, buffer, kind, why);
            NativeBuffer.put(buffer.address(), new byte[] {9}, 0, 1);
            disk.write(0, buffer.address(), 1);
            disk.flush();
            assertThat(disk.writable()).isTrue();
            assertThat(TestDisk.read(snapshots.get(2).disk(), 0, 1, buffer)).containsExactly(3);
        }
        assertThat(get(72)).as("incompatible features").isZero();
    }

    private static void assertOnlyTheFirstFails(List<Snapshot> snapshots, NativeBuffer buffer, Kind kind, String why)
            throws IOException {
        assertThat(snapshots).extracting(Snapshot::name).containsExactly("s1", "s2", "s3");
        for (int twice = 0; twice < 2; twice++) {
            assertThatExceptionOfType(Qcow2Exception.class)
                    .isThrownBy(() -> snapshots.get(0).disk().read(0, buffer.address(), 512))
                    .withMessageContaining(why)
                    .satisfies(e -> assertThat(e.kind()).isEqualTo(kind));
        }
        assertThat(TestDisk.read(snapshots.get(1).disk(), 0, 1, buffer)).containsExactly(2);
        assertThat(TestDisk.read(snapshots.get(2).disk(), 0, 1, buffer)).containsExactly(3);
    }

    @Test
    void an_l1_table_at_no_cluster_is_told_by_its_field() throws IOException {
        put(table, get(table) + 512);
        assertHurtsNobodyElse(Kind.MALFORMED, "snapshot 1: l1_table_offset is 0x");
    }

    @Test
    void an_l1_table_behind_the_end_is_cut_off() throws IOException {
        put(table, 1L << 40);
        assertHurtsNobodyElse(Kind.MALFORMED, "snapshot 1: its L1 table is cut off");
    }

    @Test
    void an_l1_table_too_short_is_told_by_its_field() throws IOException {
        put(table + L1_SIZE, 0);
        assertHurtsNobodyElse(Kind.MALFORMED, "snapshot 1: l1_size is 0");
    }

    @Test
    void an_l1_table_too_long_is_told_by_its_field_and_claims_what_lies_behind_it() throws IOException {
        put(table + L1_SIZE, -1);
        ImageWithSnapshots open = Images.openWithSnapshots(image, OpenOptions.readWrite());
        Disk disk = open.disk();
        try (NativeBuffer buffer = NativeBuffer.allocate(1 << 16)) {
            assertThatExceptionOfType(Qcow2Exception.class)
                    .isThrownBy(() -> disk.write(0, buffer.address(), 1))
                    .withMessageContaining("would hit")
                    .withMessageContaining("the L1 table of a snapshot");
            assertOnlyTheFirstFails(open.snapshots(), buffer, Kind.MALFORMED, "snapshot 1: l1_size is 4294967295");
            assertThat(TestDisk.read(disk, 0, 1, buffer)).containsExactly(3);
            assertThatExceptionOfType(Qcow2Exception.class)
                    .isThrownBy(disk::close)
                    .withMessageContaining("would hit");
        }
    }

    @Test
    void an_l2_table_at_no_cluster_is_the_business_of_its_readers() throws IOException {
        put(get(table), get(get(table)) | 0x8000);
        assertHurtsNobodyElse(Kind.CORRUPT, "entry 0 of the L1 table at ");
    }

    @Test
    void a_size_that_is_none_is_shown_as_nothing_that_cannot_be_read_either() throws IOException {
        put(table + DISK_SIZE, -4096L);
        ImageWithSnapshots open = Images.openWithSnapshots(image, OpenOptions.readOnly());
        try (Disk disk = open.disk()) {
            Disk first = open.snapshots().get(0).disk();
            assertThat(disk.size()).isEqualTo(SIZE);
            assertThat(first.size()).isZero();
            assertThatExceptionOfType(Qcow2Exception.class)
                    .isThrownBy(() -> first.read(0, 0, 0))
                    .withMessageContaining("snapshot 1: l1_size");
        }
    }

    @Test
    void a_table_that_makes_no_sense_fails_those_who_want_snapshots_or_write_and_nobody_else() throws IOException {
        put(table + EXTRA_SIZE, 5000);
        assertRefused("extra data size of entry ");
        put(table + EXTRA_SIZE, 24);
        put(table + ID_LENGTH, -1);
        assertRefused("the snapshot table is cut off in entry");
        try (Disk disk = Images.open(image, OpenOptions.readOnly());
                NativeBuffer buffer = NativeBuffer.allocate(1 << 16)) {
            assertThat(TestDisk.read(disk, 0, 1, buffer)).containsExactly(3);
        }
    }

    private void assertRefused(String why) {
        assertThatExceptionOfType(Qcow2Exception.class)
                .isThrownBy(() -> Images.openWithSnapshots(image, OpenOptions.readOnly()))
                .withMessageContaining(why);
        assertThatExceptionOfType(Qcow2Exception.class)
                .isThrownBy(() -> Images.open(image, OpenOptions.readWrite()))
                .withMessageContaining(why);
    }
}
