package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.check.ImageRepair;
import io.qfuse.qcow2.create.NewImage;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.HostIoException;
import io.qfuse.qcow2.testing.Faults;
import io.qfuse.qcow2.testing.FaultyFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageTally;
import io.qfuse.qcow2.testing.ImageTally.Use;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.PowerLossFile;
import io.qfuse.qcow2.testing.RecordingFile;
import io.qfuse.qcow2.testing.RecordingFile.Call;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Images that are marked dirty, their refcounts damaged, and what opening them for writing makes of them. */
final class RepairTest {

    private static final int SEEDS = Boolean.getBoolean("qfuse.long") ? 200 : 5;
    private static final ImageKind SMALL = new ImageKind(3, 9, 4, false);

    private static final Logger LOG = Logger.getLogger(ImageRepair.class.getPackageName());

    @BeforeAll
    static void keepTheLogShort() {
        LOG.setUseParentHandlers(false);
    }

    @AfterAll
    static void restoreTheLog() {
        LOG.setUseParentHandlers(true);
    }

    static List<ImageKind> kinds() {
        return ImageKind.matrix().stream()
                .filter(kind -> kind.version() == 3 && kind.clusterBits() < 20)
                .filter(kind -> !kind.backed() && kind.data() == ImageKind.Data.INSIDE)
                .toList();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void a_dirty_image_is_clean_after_opening_whatever_its_refcounts_were(ImageKind kind) throws IOException {
        Used used = new Used(kind);
        for (long seed = 0; seed < SEEDS; seed++) {
            MemoryHostFile image = used.image.copy();
            String what = kind + ", seed " + seed + ": " + used.damage(image, new Random(seed));
            ImageRepair.ifDirty(image, HeaderReader.read(image));
            used.verify(image, what);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void a_power_loss_at_any_moment_of_a_repair_leaves_what_the_next_one_makes_clean(ImageKind kind)
            throws IOException {
        Used used = new Used(kind);
        for (long seed = 0; seed < Math.max(2, SEEDS / 10); seed++) {
            Random random = new Random(seed);
            MemoryHostFile damaged = used.image.copy();
            String what = kind + ", seed " + seed + ": " + used.damage(damaged, random);
            PowerLossFile file = new PowerLossFile(damaged);
            ImageRepair.ifDirty(file, HeaderReader.read(file));
            for (int i = 0; i < 10; i++) {
                int moment = random.nextInt(file.moments() + 1);
                long loss = i < 2 ? i : random.nextLong();
                MemoryHostFile left = file.afterLossAt(moment, loss);
                ImageRepair.ifDirty(left, HeaderReader.read(left));
                used.verify(left, what + ", power lost at " + moment + " with seed " + loss);
            }
        }
    }

    /** An image that was written to and closed, then marked dirty, with what it has to read as. */
    static final class Used {

        private final ImageKind kind;
        final MemoryHostFile image;
        private final MemoryHostFile base;
        private final byte[] content;

        /** Where words are that can be damaged. */
        private final Map<Use, List<Long>> places = new EnumMap<>(Use.class);

        Used(ImageKind kind) throws IOException {
            this(kind, true);
        }

        Used(ImageKind kind, boolean dirty) throws IOException {
            this.kind = kind;
            int size = kind.clusterBits() < 16 ? 300_032 : 1 << 20;
            this.image = kind.create(size);
            Random random = new Random(kind.hashCode());
            try (TestDisk disk = new TestDisk(kind, image, size)) {
                for (int i = 0; i < 20; i++) {
                    int offset = random.nextInt(size);
                    int length = random.nextInt(Math.min(size - offset, 50_000));
                    byte[] bytes = new byte[length];
                    random.nextBytes(bytes);
                    if (i % 4 == 3) {
                        disk.zero(offset, length, random.nextBoolean());
                    } else {
                        disk.write(offset, bytes);
                    }
                }
                this.base = disk.base();
                this.content = disk.model();
            }
            CheckedImage.requireClean(image);
            findPlaces();
            if (dirty) {
                put(image, HeaderField.INCOMPATIBLE, get(image, HeaderField.INCOMPATIBLE) | Features.DIRTY);
            }
        }

        private void findPlaces() throws IOException {
            ImageTally tally = new ImageTally(image);
            Geometry geometry = HeaderReader.read(image).geometry();
            for (long at = 0; at < image.size(); at += 8) {
                Use use = tally.use(at);
                boolean refcounts = use == Use.REFCOUNT_BLOCK || use == Use.REFCOUNT_TABLE;
                boolean flagged = (use == Use.L1 || use == Use.L2)
                        && at % geometry.l2EntrySize() == 0
                        && L2Entry.hostOffset(get(image, at)) != 0;
                if (refcounts || flagged) {
                    places.computeIfAbsent(use, key -> new ArrayList<>()).add(at);
                }
            }
        }

        /** Damages counts, the table that names the blocks, and COPIED flags; returns what it did. */
        String damage(MemoryHostFile damaged, Random random) throws IOException {
            Geometry geometry = HeaderReader.read(damaged).geometry();
            StringBuilder what = new StringBuilder();
            for (int i = random.nextInt(4); i >= 0; i--) {
                Use use = List.of(Use.REFCOUNT_BLOCK, Use.REFCOUNT_BLOCK, Use.REFCOUNT_TABLE, Use.L1, Use.L2)
                        .get(random.nextInt(5));
                List<Long> candidates = places.getOrDefault(use, List.of());
                long at = candidates.get(random.nextInt(candidates.size()));
                long old = get(damaged, at);
                long refcounts = switch (random.nextInt(6)) {
                    case 0 -> 0;
                    case 1 -> random.nextLong();
                    case 2 -> old ^ 1L << random.nextInt(64);
                    case 3 -> geometry.clusterOffset(random.nextInt(40));
                    case 4 -> geometry.clusterOffset(geometry.clustersFor(damaged.size()) + random.nextInt(3));
                    default -> get(damaged, candidates.get(random.nextInt(candidates.size())));
                };
                put(damaged, at, use == Use.L1 || use == Use.L2 ? old ^ L2Entry.COPIED : refcounts);
                what.append(use).append(" 0x").append(Long.toHexString(at)).append(", ");
            }
            return what.toString();
        }

        /** That a repaired image is clean and right, and stays so when it is written to. */
        void verify(MemoryHostFile repaired, String what) throws IOException {
            assertThat(HeaderReader.read(repaired).incompatible() & Features.DIRTY)
                    .as(what)
                    .isZero();
            CheckedImage.requireClean(repaired, what);
            try (TestDisk disk = new TestDisk(repaired, base, content)) {
                disk.check(0, content.length);
                byte[] bytes = new byte[40_000];
                new Random(1).nextBytes(bytes);
                disk.write(content.length / 3, bytes);
                disk.zero(content.length / 2, 30_000, true);
                disk.reopen();
            } catch (AssertionError | IOException e) {
                throw new AssertionError(what, e);
            }
        }

        @Override
        public String toString() {
            return kind.toString();
        }
    }

    @Test
    void a_repair_is_told_in_one_line_with_what_it_changed() throws IOException {
        MemoryHostFile image = preallocated("cluster_size=4k");
        image.write(0x2000 + 2 * 7, new byte[6], 0, 6);
        put(image, 0x4000, get(image, 0x4000) ^ L2Entry.COPIED);
        List<String> lines = new ArrayList<>();
        Handler handler = new Handler() {
            @Override
            public void publish(LogRecord line) {
                lines.add(line.getLevel() + ": " + line.getMessage());
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        LOG.addHandler(handler);
        try {
            ImageRepair.ifDirty(image, HeaderReader.read(image));
        } finally {
            LOG.removeHandler(handler);
        }
        assertThat(lines).containsExactly("WARNING: image.qcow2 was dirty: repaired 3 refcounts and 1 COPIED flags");
    }

    @Test
    void a_sound_image_loses_its_dirty_bit_and_changes_in_nothing_else() throws IOException {
        Used used = new Used(SMALL);
        RecordingFile file = new RecordingFile(used.image);
        ImageRepair.ifDirty(file, HeaderReader.read(file));
        List<Call> calls = file.take();
        int cleared = calls.indexOf(new Call("write", HeaderField.INCOMPATIBLE, 8));
        assertThat(calls.stream().filter(call -> !call.isSync())).hasSize(1);
        assertThat(calls.get(cleared - 1).isSync())
                .as("what was read is durable")
                .isTrue();
        assertThat(calls.subList(cleared + 1, calls.size())).containsExactly(new Call("sync", 0, 0));
        ImageRepair.ifDirty(file, HeaderReader.read(file));
        assertThat(file.take()).as("calls for a clean image").isEmpty();
    }

    @Test
    void a_host_that_fails_leaves_the_image_dirty_and_the_next_opening_repairs_it() throws IOException {
        Used used = new Used(SMALL);
        Header header = HeaderReader.read(used.image);
        byte[] count = used.image.bytes(header.refcountTableOffset(), 8);
        for (long damage :
                new long[] {header.refcountTableOffset(), ByteBuffer.wrap(count).getLong()}) {
            MemoryHostFile dirty = used.image.copy();
            put(dirty, damage, 0); // counts are written anew, or corrected in place
            long entry = used.places.getOrDefault(Use.L1, List.of()).get(0);
            put(dirty, entry, get(dirty, entry) ^ L2Entry.COPIED);
            Faults none = new Faults(0, 0, Faults.EIO);
            repair(dirty.copy(), none);
            int calls = none.calls();
            assertThat(calls).isGreaterThan(20);
            for (int call = 0; call < calls; call++) {
                for (int errno : new int[] {Faults.EIO, Faults.ENOSPC}) {
                    MemoryHostFile image = dirty.copy();
                    Faults faults = new Faults(call, 1, errno);
                    assertThatThrownBy(() -> repair(image, faults))
                            .as(faults.toString())
                            .isInstanceOfSatisfying(
                                    HostIoException.class,
                                    e -> assertThat(e.errno()).isEqualTo(errno));
                    repair(image, none);
                    used.verify(image, faults.toString());
                }
            }
        }
    }

    private static void repair(MemoryHostFile image, Faults faults) throws IOException {
        HostFile file = new FaultyFile(image, faults);
        ImageRepair.ifDirty(file, HeaderReader.read(file));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            0x4000 | 0x8100000000005000 | entry 0 of the L2 table at 0x4000 (guest offset 0x0) is 0x8100000000005000: reserved bits are set
            0x4000 | 0x8000000000005200 | the data cluster of entry 0 of the L2 table at 0x4000 (guest offset 0x0) begins at 0x5200, not at the start of a cluster
            0x4000 | 0x8000000001000000 | the data cluster of entry 0 of the L2 table at 0x4000 (guest offset 0x0) of 4096 bytes at 0x1000000 lies behind the end of the file
            0x4000 | 0x8000000000004000 | the data cluster of entry 0 of the L2 table at 0x4000 (guest offset 0x0) lies at 0x4000, where something else is as well
            0x4000 | 0xc000000000005000 | entry 0 of the L2 table at 0x4000 (guest offset 0x0) is 0xc000000000005000: COPIED is set for a compressed cluster
            0x3000 | 0x8000000000003000 | the L2 table of entry 0 of the active L1 table lies at 0x3000, where something else is as well
            0x3000 | 0x8000000000004200 | the L2 table of entry 0 of the active L1 table begins at 0x4200, not at the start of a cluster
            0x3000 | 0x8000000000000000 | entry 0 of the active L1 table is 0x8000000000000000: no table, but not 0
            """)
    void damage_beyond_refcounts_is_refused_in_one_line_and_nothing_is_written(String at, String value, String why)
            throws IOException {
        MemoryHostFile image = preallocated("cluster_size=4k");
        put(image, Long.decode(at), Long.parseUnsignedLong(value.substring(2), 16));
        image.write(0x2000, new byte[4096], 0, 4096); // counts are lost as well
        assertRefused(image, why);
    }

    @Test
    void more_references_than_the_width_can_count_are_refused() throws IOException {
        MemoryHostFile image = preallocated("cluster_size=4k,refcount_bits=1");
        put(image, 0x4000, 0x6000L | L2Entry.COPIED);
        assertRefused(image, "cluster at 0x6000 has more references than a refcount can count, 1");
    }

    private static void assertRefused(MemoryHostFile image, String why) throws IOException {
        RecordingFile file = new RecordingFile(image);
        Header header = HeaderReader.read(file);
        assertThatThrownBy(() -> ImageRepair.ifDirty(file, header))
                .isInstanceOfSatisfying(
                        Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Kind.CORRUPT))
                .hasMessage("image.qcow2: dirty, and more is wrong than its refcounts: " + why
                        + "; run qfuse check -r all");
        assertThat(file.calls()).isEmpty();
    }

    @Test
    void what_guest_and_refcounts_both_claim_is_the_guests() throws IOException {
        MemoryHostFile image = preallocated("cluster_size=4k");
        put(image, 0x4000, 0x2000L | L2Entry.COPIED); // the refcount block
        byte[] claimed = image.bytes(0x2000, 4096);
        ImageRepair.ifDirty(image, HeaderReader.read(image));
        CheckedImage.requireClean(image);
        assertThat(image.bytes(0x2000, 4096)).isEqualTo(claimed);
        assertThat(get(image, 0x4000)).isEqualTo(0x2000L | L2Entry.COPIED);
    }

    @ParameterizedTest
    @ValueSource(longs = {0x3000, 0x4000, 0x2000, 0x5000})
    void a_refcount_table_that_lies_on_something_else_is_made_anew(long place) throws IOException {
        MemoryHostFile image = preallocated("cluster_size=4k");
        put(image, HeaderField.REFCOUNT_TABLE, place);
        ImageRepair.ifDirty(image, HeaderReader.read(image));
        CheckedImage.requireClean(image);
        assertThat(HeaderReader.read(image).refcountTableOffset()).isGreaterThan(0x14000);
    }

    @ParameterizedTest
    @CsvSource({"2M, 57", "4k, 52"})
    void new_refcounts_that_the_format_has_no_place_for_are_refused(String clusterSize, int lengthBits)
            throws IOException {
        MemoryHostFile image = preallocated("cluster_size=" + clusterSize);
        put(image, HeaderReader.read(image).refcountTableOffset(), 0);
        image.truncate(1L << lengthBits);
        RecordingFile file = new RecordingFile(image);
        Header header = HeaderReader.read(file);
        assertThatThrownBy(() -> ImageRepair.ifDirty(file, header))
                .isInstanceOfSatisfying(
                        Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Kind.NO_SPACE))
                .hasMessageContaining("image.qcow2: dirty, and no new refcounts can be made");
        assertThat(file.calls()).isEmpty();
    }

    @Test
    void two_guest_clusters_on_one_host_cluster_are_counted_twice_and_copied_when_written() throws IOException {
        MemoryHostFile image = preallocated("cluster_size=4k");
        put(image, 0x4000, get(image, 0x4008));
        byte[] content = new byte[64 << 10];
        Arrays.fill(content, 0, 0x2000, (byte) 7);
        image.write(0x6000, content, 0, 4096);
        ImageRepair.ifDirty(image, HeaderReader.read(image));
        CheckedImage.requireClean(image);
        try (TestDisk disk = new TestDisk(image, new MemoryHostFile("no base"), content)) {
            disk.write(0x1800, new byte[100]);
            disk.checkAll();
        }
    }

    /** 64 KiB, all preallocated, dirty: table at 0x1000, block at 0x2000, L1 at 0x3000, L2 at 0x4000, then data. */
    private static MemoryHostFile preallocated(String options) throws IOException {
        MemoryHostFile image = new MemoryHostFile("image.qcow2");
        CreateOptions parsed = CreateOptions.parse(List.of(options + ",preallocation=metadata,size=64k"));
        NewImage.plan(parsed, image.path()).writeTo(image);
        put(image, HeaderField.INCOMPATIBLE, Features.DIRTY);
        return image;
    }

    private static long get(MemoryHostFile image, long at) {
        return ByteBuffer.wrap(image.bytes(at, 8)).getLong();
    }

    private static void put(MemoryHostFile image, long at, long value) {
        image.write(at, ByteBuffer.allocate(8).putLong(value).array(), 0, 8);
    }
}
