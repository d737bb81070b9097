package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.BitmapRecord;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.guard.MetadataRole;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** Writes that entries of a damaged image direct at its metadata. */
final class OverlapTest {

    private static final ImageKind KIND = new ImageKind(3, 12, 4, false);
    private static final int CLUSTER = KIND.clusterSize();
    private static final int SIZE = 8 << 20;
    /** Guest bytes that one L2 table maps. */
    private static final long REACH = CLUSTER / 8 * (long) CLUSTER;
    /** The guest cluster whose entry is damaged: the last one of the first L2 table. */
    private static final long GUEST = REACH - CLUSTER;
    /** A guest cluster that stays sound. */
    private static final long SOUND = REACH;
    /** Where the lowest flags of the first entry of the bitmap directory are. */
    private static final int BITMAP_FLAGS = 15;
    /** Guest clusters that are not allocated. */
    private static final int EMPTY = 200_704;

    private final MemoryHostFile image = KIND.create(SIZE);
    private final Map<MetadataRole, Long> places = new EnumMap<>(MetadataRole.class);
    private long firstL2;
    private long firstL1;
    private byte[] sound = {};

    /** An image with data, a snapshot's tables and a bitmap directory. */
    @BeforeEach
    void makeImage() throws IOException {
        try (Disk disk = open();
                NativeBuffer buffer = NativeBuffer.allocate(CLUSTER)) {
            sound = new byte[CLUSTER];
            Arrays.fill(sound, (byte) 0x5a);
            NativeBuffer.put(buffer.address(), sound, 0, CLUSTER);
            for (long guest : new long[] {0, GUEST, SOUND}) {
                disk.write(guest, buffer.address(), CLUSTER);
            }
        }
        Header header = HeaderReader.read(image);
        firstL1 = header.l1Offset();
        firstL2 = L1Entry.l2Offset(word(firstL1));
        long end = (image.size() + CLUSTER - 1) / CLUSTER * CLUSTER;
        for (MetadataRole role :
                new MetadataRole[] {MetadataRole.SNAPSHOT_TABLE, MetadataRole.INACTIVE_L1, MetadataRole.BITMAP_DIRECTORY
                }) {
            image.write(end, new byte[CLUSTER], 0, CLUSTER);
            count(end, 1);
            places.put(role, end);
            end += CLUSTER;
        }
        snapshot();
        bitmap(end);
        places.put(MetadataRole.HEADER, 0L);
        places.put(MetadataRole.L1, firstL1);
        places.put(MetadataRole.L2, L1Entry.l2Offset(word(firstL1 + 8)));
        places.put(MetadataRole.REFCOUNT_TABLE, header.refcountTableOffset());
        places.put(MetadataRole.REFCOUNT_BLOCK, word(header.refcountTableOffset()));
    }

    private void snapshot() {
        long table = place(MetadataRole.SNAPSHOT_TABLE);
        put(60, 1L << 32); // one snapshot; the next four bytes are set below
        put(64, table);
        byte[] entry = new byte[72];
        ByteBuffer.wrap(entry)
                .putLong(place(MetadataRole.INACTIVE_L1))
                .putInt((int) (SIZE / REACH))
                .putShort((short) 1)
                .putShort((short) 1)
                .position(36);
        ByteBuffer.wrap(entry)
                .putInt(36, 24)
                .putLong(48, SIZE)
                .put(64, (byte) '1')
                .put(65, (byte) 's');
        image.write(table, entry, 0, entry.length);
    }

    private void bitmap(long table) {
        long directory = place(MetadataRole.BITMAP_DIRECTORY);
        image.write(table, new byte[CLUSTER], 0, CLUSTER);
        count(table, 1);
        byte[] entry = new byte[32];
        ByteBuffer.wrap(entry)
                .putLong(table)
                .putInt(1)
                .putInt(0)
                .put((byte) 1)
                .put((byte) 16)
                .putShort((short) 1)
                .putInt(0)
                .put((byte) 'b');
        image.write(directory, entry, 0, entry.length);
        put(HeaderField.AUTOCLEAR, Features.BITMAPS);
        byte[] extension = new byte[32];
        ByteBuffer.wrap(extension)
                .putInt(HeaderExtension.BITMAPS)
                .putInt(24)
                .putInt(1)
                .putInt(0)
                .putLong(entry.length)
                .putLong(directory);
        image.write(112, extension, 0, extension.length);
    }

    @ParameterizedTest
    @EnumSource(value = MetadataRole.class, mode = Mode.EXCLUDE, names = "CRYPTO_HEADER")
    void data_in_place_never_hit_metadata(MetadataRole role) throws IOException {
        if (role != MetadataRole.HEADER) { // an entry that names cluster 0 names none
            put(entry(GUEST), L2Entry.data(place(role)));
            refused(role, (disk, buffer) -> disk.write(GUEST, buffer, CLUSTER));
            refused(role, (disk, buffer) -> disk.write(GUEST + 100, buffer, 7));
            refused(role, (disk, buffer) -> disk.writeZeroes(GUEST + 512, 512, true));
            refused(role, (disk, buffer) -> disk.write(GUEST - CLUSTER, buffer, 2 * CLUSTER));
        }
    }

    @ParameterizedTest
    @EnumSource(value = MetadataRole.class, mode = Mode.EXCLUDE, names = "CRYPTO_HEADER")
    void reserved_clusters_that_are_metadata_are_neither_filled_nor_allocated(MetadataRole role) throws IOException {
        if (role != MetadataRole.HEADER) {
            put(entry(GUEST), L2Entry.data(place(role)) | L2Entry.ZERO);
            refused(role, (disk, buffer) -> disk.write(GUEST + 100, buffer, 7));
            refused(role, (disk, buffer) -> disk.allocate(GUEST, CLUSTER));
        }
    }

    @ParameterizedTest
    @EnumSource(value = MetadataRole.class, mode = Mode.EXCLUDE, names = "CRYPTO_HEADER")
    void metadata_are_not_given_up_as_guest_data(MetadataRole role) throws IOException {
        long place = place(role);
        if (role != MetadataRole.HEADER) {
            put(entry(GUEST), L2Entry.data(place));
            refused(role, (disk, buffer) -> disk.writeZeroes(GUEST, CLUSTER, true));
            put(entry(GUEST), place); // not COPIED: a write copies it first
            refused(role, (disk, buffer) -> disk.write(GUEST + 100, buffer, 7));
            refused(role, (disk, buffer) -> disk.writeZeroes(GUEST, CLUSTER, false));
        }
        put(entry(GUEST), L2Entry.COMPRESSED | (place + 17));
        refused(role, (disk, buffer) -> disk.writeZeroes(GUEST, CLUSTER, true));
        refused(role, (disk, buffer) -> disk.write(GUEST, buffer, CLUSTER));
    }

    @ParameterizedTest
    @EnumSource(value = MetadataRole.class, mode = Mode.EXCLUDE, names = "CRYPTO_HEADER")
    void metadata_that_count_as_free_are_not_given_out(MetadataRole role) throws IOException {
        count(place(role), 0);
        refused(role, (disk, buffer) -> disk.write(EMPTY, buffer, CLUSTER));
        refused(role, (disk, buffer) -> disk.write(SIZE - CLUSTER, buffer, CLUSTER)); // needs a table, too
        refused(role, (disk, buffer) -> disk.allocate(EMPTY, CLUSTER));
        refused(role, (disk, buffer) -> disk.resize(64L * SIZE)); // needs another L1 table
    }

    @ParameterizedTest
    @EnumSource(
            value = MetadataRole.class,
            mode = Mode.EXCLUDE,
            names = {"HEADER", "L2", "CRYPTO_HEADER"})
    void other_metadata_are_not_changed_as_an_L2_table(MetadataRole role) throws IOException {
        long place = place(role);
        long guest = 3 * REACH - CLUSTER; // the last entry, which is 0 whatever lies there
        put(firstL1 + 16, L1Entry.of(place));
        refused(role, (disk, buffer) -> disk.write(guest, buffer, CLUSTER));
        put(firstL1 + 16, place); // not COPIED: it would be copied and given up
        refused(role, (disk, buffer) -> disk.write(guest, buffer, CLUSTER));
    }

    @ParameterizedTest
    @EnumSource(
            value = MetadataRole.class,
            mode = Mode.EXCLUDE,
            names = {"HEADER", "REFCOUNT_BLOCK", "CRYPTO_HEADER"})
    void other_metadata_are_not_changed_as_a_refcount_block(MetadataRole role) throws IOException {
        put(place(MetadataRole.REFCOUNT_TABLE), place(role));
        corrupt((disk, buffer) -> disk.write(EMPTY, buffer, CLUSTER));
    }

    @ParameterizedTest
    @EnumSource(
            value = MetadataRole.class,
            mode = Mode.EXCLUDE,
            names = {"HEADER", "L1", "L2", "CRYPTO_HEADER"})
    void other_metadata_are_not_changed_as_the_L1_table(MetadataRole role) throws IOException {
        long place = place(role);
        byte[] l1 = image.bytes(firstL1, (int) (SIZE / REACH * 8));
        put(HeaderField.L1 + 4, place);
        corrupt((disk, buffer) -> {
            disk.resize(64L * SIZE);
            disk.write(8L * SIZE, buffer, CLUSTER);
            disk.flush();
        });
        assertThat(image.bytes(firstL1, l1.length)).isEqualTo(l1);
    }

    @Test
    void table_that_two_entries_name_is_not_written() throws IOException {
        put(firstL1 + 16, word(firstL1));
        assertThat(corrupt((disk, buffer) -> disk.write(EMPTY, buffer, CLUSTER)))
                .hasMessageContainingAll("two entries", "L2 table", Long.toHexString(firstL2));
    }

    @Test
    void entries_behind_the_end_of_the_file_do_not_grow_it() throws IOException {
        long far = 1L << 45;
        put(entry(GUEST), L2Entry.data(far));
        for (Operation operation : new Operation[] {
            (disk, buffer) -> disk.write(GUEST, buffer, CLUSTER),
            (disk, buffer) -> disk.writeZeroes(GUEST, CLUSTER, true),
            (disk, buffer) -> disk.writeZeroes(GUEST, CLUSTER - 1, true)
        }) {
            assertThat(corrupt(operation)).hasMessageContainingAll("behind the end of the file", "0x200000000000");
        }
        put(entry(GUEST), L2Entry.data(far) | L2Entry.ZERO);
        assertThat(corrupt((disk, buffer) -> disk.allocate(GUEST, CLUSTER))).hasMessageContaining("behind the end");
        put(entry(GUEST), L2Entry.COMPRESSED | far);
        assertThat(corrupt((disk, buffer) -> disk.write(GUEST, buffer, CLUSTER)))
                .hasMessageContaining("behind the end");
        put(firstL1 + 16, L1Entry.of(far));
        assertThat(corrupt((disk, buffer) -> disk.write(2 * REACH, buffer, 1))).hasMessageContaining("L2 table");
        put(firstL1 + 16, far);
        assertThat(corrupt((disk, buffer) -> disk.write(2 * REACH, buffer, 1))).hasMessageContaining("L2 table");
        put(firstL1 + 16, L1Entry.COPIED);
        assertThat(corrupt((disk, buffer) -> disk.write(2 * REACH, buffer, 1))).hasMessageContaining("COPIED");
        put(firstL1 + 16, 0);
        put(place(MetadataRole.REFCOUNT_TABLE), far);
        assertThat(corrupt((disk, buffer) -> disk.write(EMPTY, buffer, 1))).isNotNull();
        assertThat(image.size()).isLessThan(1 << 20);
    }

    @Test
    void image_that_is_only_read_is_not_touched_whatever_overlaps() throws IOException {
        put(firstL1 + 16, word(firstL1));
        put(entry(GUEST), L2Entry.data(firstL1));
        byte[] before = image.bytes(0, (int) image.size());
        OpenOptions options = OpenOptions.readOnly();
        Header header = HeaderReader.read(image);
        try (Disk disk = new Qcow2Image(
                        new ImageFiles(new KeptOpen(image), null),
                        header,
                        null,
                        options,
                        Qcow2Image.ChainCaches.of(options));
                NativeBuffer buffer = NativeBuffer.allocate(CLUSTER)) {
            assertThat(TestDisk.read(disk, GUEST, CLUSTER, buffer)).isEqualTo(image.bytes(firstL1, CLUSTER));
            assertThat(TestDisk.read(disk, SOUND, CLUSTER, buffer)).isEqualTo(sound);
        }
        assertThat(image.bytes(0, before.length)).isEqualTo(before);
        assertThat(image.size()).isEqualTo(before.length);
    }

    /** Does something that has to be refused with the name of what it would have hit. */
    private void refused(MetadataRole role, Operation operation) throws IOException {
        String name = role.name().replace("INACTIVE_", "").replace('_', ' ');
        assertThat(corrupt(operation).getMessage()).containsIgnoringCase(name);
    }

    /** Does something that has to be refused; the image goes on reading, and its metadata stay as they are. */
    private Qcow2Exception corrupt(Operation operation) throws IOException {
        MemoryHostFile before = image.copy();
        MemoryHostFile used = image.copy();
        Qcow2Exception refusal;
        try (NativeBuffer buffer = NativeBuffer.allocate(2 * CLUSTER)) {
            NativeBuffer.zero(buffer.address(), 2L * CLUSTER);
            Disk disk = TestDisk.open(used, used);
            refusal = catchThrowableOfType(Qcow2Exception.class, () -> operation.run(disk, buffer.address()));
            assertThat(refusal).as("must be refused").isNotNull();
            assertThat(refusal.kind()).as("%s", refusal).isEqualTo(Kind.CORRUPT);
            assertThat(refusal).hasMessageStartingWith("image.qcow2: ").hasMessageNotContaining("\n");
            assertThat(disk.writable()).isFalse();
            assertThatThrownBy(() -> disk.write(SOUND, buffer.address(), 1)).hasMessage(refusal.getMessage());
            assertThatThrownBy(disk::flush).hasMessage(refusal.getMessage());
            if (word(HeaderField.L1 + 4) == firstL1) {
                assertThat(TestDisk.read(disk, SOUND, CLUSTER, buffer)).isEqualTo(sound);
            }
            assertThatThrownBy(disk::close).hasMessage(refusal.getMessage());
        }
        MemoryHostFile after = used.copy();
        assertThat(word(after, HeaderField.INCOMPATIBLE)).isEqualTo(2);
        for (Map.Entry<MetadataRole, Long> place : places.entrySet()) {
            if (place.getKey() != MetadataRole.HEADER) {
                byte[] expected = before.bytes(place.getValue(), CLUSTER);
                byte[] actual = after.bytes(place.getValue(), CLUSTER);
                if (place.getKey() == MetadataRole.BITMAP_DIRECTORY) {
                    actual[BITMAP_FLAGS] &= ~BitmapRecord.IN_USE; // a resize marks the bitmap first
                }
                assertThat(Arrays.mismatch(actual, expected))
                        .as("first byte that has changed of %s", place)
                        .isEqualTo(-1);
            }
        }
        assertThat(after.bytes(0, HeaderField.INCOMPATIBLE)).isEqualTo(before.bytes(0, HeaderField.INCOMPATIBLE));
        assertThat(after.bytes(96, CLUSTER - 96)).isEqualTo(before.bytes(96, CLUSTER - 96));
        assertThat(after.size()).isLessThan(1 << 20);
        return refusal;
    }

    private long place(MetadataRole role) {
        return Objects.requireNonNull(places.get(role));
    }

    private Disk open() throws IOException {
        return TestDisk.open(new KeptOpen(image), new MemoryHostFile("no base"));
    }

    private long entry(long guest) {
        return firstL2 + 8 * (guest / CLUSTER);
    }

    private void count(long offset, int count) {
        image.write(2L * CLUSTER + 2 * offset / CLUSTER, new byte[] {0, (byte) count}, 0, 2);
    }

    private void put(long at, long word) {
        image.write(at, ByteBuffer.allocate(8).putLong(word).array(), 0, 8);
    }

    private long word(long at) {
        return word(image, at);
    }

    private static long word(MemoryHostFile file, long at) {
        return ByteBuffer.wrap(file.bytes(at, 8)).getLong();
    }

    private interface Operation {
        void run(Disk disk, long buffer) throws IOException;
    }

    /** Outlives the disk. */
    private static final class KeptOpen extends ForwardingFile {

        KeptOpen(MemoryHostFile file) {
            super(file);
        }

        @Override
        public void close() {}
    }
}
