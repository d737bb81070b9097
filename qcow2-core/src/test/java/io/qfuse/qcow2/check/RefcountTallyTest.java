package io.qfuse.qcow2.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.check.RefcountTally.Block;
import io.qfuse.qcow2.check.RefcountTally.Use;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.RefcountWidth;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class RefcountTallyTest {

    private static final int CLUSTER = 4096;

    private final MemoryHostFile file = new MemoryHostFile("image.qcow2");
    private final CheckReport report = new CheckReport();

    private RefcountTally tally(long clusters) throws IOException {
        file.truncate(clusters * CLUSTER);
        return new RefcountTally(file, new Geometry(12, 4), report);
    }

    @Test
    void counts_of_any_size_come_out_as_they_went_in() throws IOException {
        RefcountTally tally = tally(100);
        for (long cluster = 0; cluster < 100; cluster++) {
            tally.add("data", Use.DATA, cluster * CLUSTER, CLUSTER, cluster, 0);
            tally.add("data", Use.DATA, cluster * CLUSTER, CLUSTER, cluster * cluster, 0);
        }
        byte[] block = new byte[CLUSTER];
        assertThat(tally.fillBlock(0, block)).isEqualTo(Block.USED);
        assertThat(tally.fillBlock(1, new byte[CLUSTER])).isEqualTo(Block.UNUSED);
        for (int cluster = 0; cluster < 100; cluster++) {
            assertThat(tally.get(cluster)).isEqualTo(cluster + cluster * cluster);
            assertThat(new RefcountWidth(4).get(block, cluster)).isEqualTo(tally.get(cluster));
        }
        assertThat(tally.referenced().toArray()).hasSize(99).startsWith(1, 2, 3).endsWith(99);
        assertThat(report.isClean()).isTrue();
    }

    @ParameterizedTest
    @CsvSource({
        "DATA, DATA, true",
        "L2, L2, true",
        "TABLE, TABLE, false",
        "DATA, L2, false",
        "L2, DATA, false",
        "TABLE, DATA, false",
        "L2, TABLE, false"
    })
    void only_data_with_data_and_an_l2_table_with_itself_share_a_cluster(Use first, Use second, boolean together)
            throws IOException {
        RefcountTally tally = tally(10);
        assertThat(tally.add("one", first, 2 * CLUSTER, CLUSTER, 1, 0)).isTrue();
        assertThat(tally.add("the other", second, 2 * CLUSTER + 700, 100, 1, 0)).isEqualTo(together);
        assertThat(report.isClean()).isEqualTo(together);
        assertThat(tally.get(2)).isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource({"1, true, USED", "1, false, USED_FLAGS_WRONG", "2, false, USED", "2, true, USED_FLAGS_WRONG"})
    void flags_are_right_where_they_say_that_a_cluster_has_one_reference(long times, boolean copied, Block expected)
            throws IOException {
        RefcountTally tally = tally(10);
        tally.add("data", Use.DATA, CLUSTER, CLUSTER, times, RefcountTally.flag(copied ? L2Entry.COPIED : 0));
        tally.add("of a snapshot", Use.DATA, 2 * CLUSTER, CLUSTER, 1, 0);
        assertThat(tally.fillBlock(0, new byte[CLUSTER])).isEqualTo(expected);
    }

    @Test
    void references_that_are_scattered_beyond_measure_are_refused_before_memory_is_out() throws IOException {
        RefcountTally tally = tally(1L << 40);
        assertThatThrownBy(() -> {
                    for (long cluster = 0; cluster < 1L << 40; cluster += 512) {
                        tally.add("data", Use.DATA, cluster * CLUSTER, CLUSTER, 1, 0);
                    }
                })
                .isInstanceOf(Qcow2Exception.class)
                .hasMessageMatching(
                        "image.qcow2: counting its references takes more than the [0-9]+ MiB of memory there are"
                                + " for it");
    }
}
