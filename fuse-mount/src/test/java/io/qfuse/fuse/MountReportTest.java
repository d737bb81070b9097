package io.qfuse.fuse;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.DiskStatistics;
import io.qfuse.qcow2.DiskStatistics.Checkpoints;
import io.qfuse.qcow2.DiskStatistics.Host;
import io.qfuse.qcow2.DiskStatistics.Lookups;
import java.util.List;
import org.junit.jupiter.api.Test;

final class MountReportTest {

    private static final long LARGE = 999_999_999_999_999_999L;

    @Test
    void a_report_arrives_as_it_was_sent() {
        var tally = new RequestTally();
        tally.served(RequestKind.WRITE, 5, 100);
        MountReport sent = MountReport.of(7, List.of(tally), DiskStatistics.NONE);
        assertThat(MountReport.parse(sent.text()).values()).isEqualTo(sent.values());
        assertThat(sent.get("requests.write.bytes")).isEqualTo(100);
        assertThat(sent.get("requests.read.count")).isZero();
    }

    @Test
    void a_report_of_another_version_is_read_as_far_as_it_makes_sense() {
        MountReport report = MountReport.parse("a 1\nnonsense\nb x\nc 99999999999999999999\n\nd -2".getBytes(US_ASCII));
        assertThat(report.values()).hasSize(2).containsEntry("a", 1L).containsEntry("d", -2L);
    }

    @Test
    void the_largest_report_fits_into_an_answer() {
        var tally = new RequestTally();
        for (RequestKind kind : RequestKind.values()) {
            tally.served(kind, Long.MAX_VALUE, LARGE);
        }
        var lookups = new Lookups(LARGE, LARGE);
        var disks = new DiskStatistics(
                lookups,
                lookups,
                lookups,
                lookups,
                LARGE,
                LARGE,
                new Host(LARGE, LARGE, LARGE, LARGE, LARGE, LARGE),
                new Checkpoints(LARGE, LARGE, LARGE, LARGE));
        assertThat(MountReport.of(LARGE, List.of(tally), disks).text()).hasSizeLessThan((1 << 14) - 1);
    }
}
