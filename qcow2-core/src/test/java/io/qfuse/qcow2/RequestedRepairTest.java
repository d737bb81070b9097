package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.RepairTest.Used;
import io.qfuse.qcow2.check.CheckReport;
import io.qfuse.qcow2.check.Finding;
import io.qfuse.qcow2.check.ImageChecker;
import io.qfuse.qcow2.check.RequestedRepair;
import io.qfuse.qcow2.check.RequestedRepair.Extent;
import io.qfuse.qcow2.check.RequestedRepair.Repaired;
import io.qfuse.qcow2.create.NewImage;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.HeaderField;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.PowerLossFile;
import io.qfuse.qcow2.testing.RecordingFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a user's repair makes of images that are not marked dirty, of both versions. */
final class RequestedRepairTest {

    private static final int SEEDS = Boolean.getBoolean("qfuse.long") ? 200 : 5;

    static List<ImageKind> kinds() {
        return ImageKind.matrix().stream()
                .filter(kind -> kind.clusterBits() < 20)
                .filter(kind -> !kind.backed() && kind.data() == ImageKind.Data.INSIDE)
                .toList();
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void an_image_is_clean_after_a_repair_of_all_whatever_its_refcounts_were(ImageKind kind) throws IOException {
        Used used = new Used(kind, false);
        for (long seed = 0; seed < SEEDS; seed++) {
            MemoryHostFile image = used.image.copy();
            String what = kind + ", seed " + seed + ": " + used.damage(image, new Random(seed));
            RequestedRepair.repair(image, Extent.ALL, ImageChecker.check(image));
            used.verify(image, what);
        }
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void power_loss_at_any_moment_of_a_repair_leaves_no_more_danger_than_before(ImageKind kind) throws IOException {
        Used used = new Used(kind, false);
        for (long seed = 0; seed < Math.max(2, SEEDS / 10); seed++) {
            Random random = new Random(seed);
            MemoryHostFile damaged = used.image.copy();
            String what = kind + ", seed " + seed + ": " + used.damage(damaged, random);
            CheckReport found = ImageChecker.check(damaged);
            PowerLossFile file = new PowerLossFile(damaged);
            RequestedRepair.repair(file, Extent.ALL, found);
            for (int i = 0; i < 10; i++) {
                int moment = random.nextInt(file.moments() + 1);
                long loss = i < 2 ? i : random.nextLong();
                String when = what + ", power lost at " + moment + " with seed " + loss;
                MemoryHostFile left = file.afterLossAt(moment, loss);
                CheckReport after = ImageChecker.check(left);
                assertThat(dangers(after))
                        .as(when + "\n" + found + "\n" + after)
                        .isLessThanOrEqualTo(dangers(found));
                RequestedRepair.repair(left, Extent.ALL, after);
                used.verify(left, when);
            }
        }
    }

    /** What may lose data with the next write: a flag that is merely missing costs a copy. */
    private static long dangers(CheckReport report) {
        return report.findings().stream()
                .filter(finding -> finding.severity() == Finding.Severity.CORRUPTION)
                .filter(finding -> !(finding instanceof Finding.CopiedWrong flag && flag.refcount() == 1))
                .count();
    }

    @Test
    void only_leaks_are_touched_where_only_they_are_to_be_repaired() throws IOException {
        MemoryHostFile image = preallocated("cluster_size=4k");
        count(image, 6, 0); // in use, but not counted
        count(image, 7, 2); // counted twice, so that its entry must not say COPIED
        put(image, 0x4010, get(image, 0x4010) ^ L2Entry.COPIED);
        count(image, 8, 2);
        CheckReport found = ImageChecker.check(image);
        assertThat(List.of(found.leaks(), found.corruptions())).containsExactly(2L, 3L);
        assertThat(RequestedRepair.repair(image, Extent.LEAKS, found)).isEqualTo(new Repaired(2, 0));
        CheckReport left = ImageChecker.check(image);
        assertThat(List.of(left.leaks(), left.corruptions())).containsExactly(0L, 2L);
        assertThat(RequestedRepair.repair(image, Extent.ALL, left)).isEqualTo(new Repaired(0, 1));
        CheckedImage.requireClean(image);
    }

    @Test
    void nothing_is_freed_that_a_damaged_table_may_have_named() throws IOException {
        for (Extent extent : Extent.values()) {
            MemoryHostFile image = preallocated("cluster_size=4k");
            put(image, 0x3000, 0x8000_0000_0100_0000L); // the L1 entry leads behind the end of the file
            count(image, 3, 0); // the L1 table itself is not counted
            CheckReport found = ImageChecker.check(image);
            assertThat(found.leaks()).isEqualTo(17);
            Repaired repaired = RequestedRepair.repair(image, extent, found);
            assertThat(repaired).isEqualTo(new Repaired(0, extent == Extent.ALL ? 1 : 0));
            assertThat(ImageChecker.check(image).leaks()).isEqualTo(17);
        }
    }

    @Test
    void a_table_that_lies_on_the_refcounts_is_not_written_until_they_are_elsewhere() throws IOException {
        MemoryHostFile image = preallocated("cluster_size=4k");
        put(image, 0x3000, 0x1000); // the L1 entry leads to the refcount table
        RequestedRepair.repair(image, Extent.ALL, ImageChecker.check(image));
        CheckReport left = ImageChecker.check(image);
        assertThat(left.isClean()).as(left.toString()).isTrue();
        assertThat(get(image, HeaderField.REFCOUNT_TABLE)).isGreaterThan(0x14000);
    }

    @Test
    void space_in_reserve_where_none_can_be_is_given_up() throws IOException {
        MemoryHostFile image = preallocated("cluster_size=4k");
        put(image, 0x4000, get(image, 0x4000) | 0x200 | L2Entry.ZERO);
        CheckReport found = ImageChecker.check(image);
        assertThat(found.findings().get(0).remedy()).contains("gives the space up");
        RequestedRepair.repair(image, Extent.ALL, found);
        CheckedImage.requireClean(image);
        assertThat(get(image, 0x4000)).isEqualTo(L2Entry.ZERO);
    }

    @Test
    void marks_go_only_when_nothing_worse_than_leaks_is_left() throws IOException {
        long marks = Features.DIRTY | Features.CORRUPT;
        MemoryHostFile image = preallocated("cluster_size=4k");
        put(image, HeaderField.INCOMPATIBLE, marks);
        put(image, 0x4000, get(image, 0x4000) | 2); // a reserved bit
        RequestedRepair.repair(image, Extent.ALL, ImageChecker.check(image));
        assertThat(get(image, HeaderField.INCOMPATIBLE)).isEqualTo(marks);
        put(image, 0x4000, get(image, 0x4000) & -4);
        count(image, 6, 0);
        RequestedRepair.repair(image, Extent.ALL, ImageChecker.check(image));
        assertThat(get(image, HeaderField.INCOMPATIBLE)).isZero();
        CheckedImage.requireClean(image);
    }

    @Test
    void a_sound_image_is_not_written() throws IOException {
        RecordingFile file = new RecordingFile(preallocated("cluster_size=4k"));
        put(file, HeaderField.AUTOCLEAR, 1L << 40);
        file.take();
        RequestedRepair.repair(file, Extent.ALL, ImageChecker.check(file));
        assertThat(file.take()).isEmpty();
    }

    @Test
    void a_repair_clears_what_it_does_not_keep_up_to_date() throws IOException {
        MemoryHostFile image = preallocated("cluster_size=4k");
        put(image, HeaderField.AUTOCLEAR, 1L << 40);
        count(image, 6, 3);
        RequestedRepair.repair(image, Extent.LEAKS, ImageChecker.check(image));
        assertThat(get(image, HeaderField.AUTOCLEAR)).isZero();
        CheckedImage.requireClean(image);
    }

    /** 64 KiB, all preallocated: table at 0x1000, block at 0x2000, L1 at 0x3000, L2 at 0x4000, then data. */
    private static MemoryHostFile preallocated(String options) throws IOException {
        MemoryHostFile image = new MemoryHostFile("image.qcow2");
        CreateOptions parsed = CreateOptions.parse(List.of(options + ",preallocation=metadata,size=64k"));
        NewImage.plan(parsed, image.path()).writeTo(image);
        return image;
    }

    private static void count(MemoryHostFile image, int cluster, int refcount) {
        image.write(0x2000 + 2 * cluster, new byte[] {0, (byte) refcount}, 0, 2);
    }

    private static long get(MemoryHostFile image, long at) {
        return ByteBuffer.wrap(image.bytes(at, 8)).getLong();
    }

    private static void put(HostFile image, long at, long value) throws IOException {
        image.write(at, ByteBuffer.allocate(8).putLong(value).array(), 0, 8);
    }
}
