package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.qfuse.qcow2.DiskStatistics;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

final class RequestTallyTest {

    private final RequestTally tally = new RequestTally();
    private final RequestTally other = new RequestTally();

    private RequestTally.Sum sum(RequestKind kind) {
        return RequestTally.sum(List.of(tally, other), kind);
    }

    @Test
    void requests_of_all_threads_are_counted_by_kind() {
        tally.served(RequestKind.READ, 1000, 4096);
        other.served(RequestKind.READ, 2000, 512);
        other.failed(RequestKind.READ, 3000);
        tally.served(RequestKind.WRITE, 4000, 1);
        RequestTally.Sum reads = sum(RequestKind.READ);
        assertThat(reads.latencies().getTotalCount()).isEqualTo(3);
        assertThat(reads.bytes()).isEqualTo(4608);
        assertThat(reads.failed()).isEqualTo(1);
        assertThat(sum(RequestKind.WRITE).bytes()).isEqualTo(1);
        assertThat(sum(RequestKind.OTHER).latencies().getTotalCount()).isZero();
    }

    @Test
    void times_are_told_apart_by_a_hundredth_and_percentiles_grow() {
        Random random = new Random(3);
        for (int i = 0; i < 10_000; i++) {
            tally.served(RequestKind.READ, 10_000 + random.nextInt(90_000), 0);
        }
        tally.served(RequestKind.READ, 7_000_000, 0);
        MountReport report = MountReport.of(0, List.of(tally, other), DiskStatistics.NONE);
        long p50 = report.get("requests.read.latency_ns.p50");
        long p99 = report.get("requests.read.latency_ns.p99");
        long p999 = report.get("requests.read.latency_ns.p99_9");
        long max = report.get("requests.read.latency_ns.max");
        assertThat(p50).isBetween(53_000L, 57_000L);
        assertThat(p99).isBetween(p50, 101_000L);
        assertThat(p999).isBetween(p99, 101_000L);
        assertThat(max).isBetween(7_000_000L, 7_070_000L);
        assertThat(report.get("requests.read.latency_ns.mean")).isBetween(54_000L, 58_000L);
    }

    @Test
    void times_outside_the_range_are_counted_at_its_ends() {
        tally.served(RequestKind.FSYNC, 10 * RequestTally.LONGEST_NANOS, 0);
        tally.served(RequestKind.FSYNC, -1, 0);
        assertThat(sum(RequestKind.FSYNC).latencies().getTotalCount()).isEqualTo(2);
        assertThat(sum(RequestKind.FSYNC).latencies().getMaxValue())
                .isBetween(RequestTally.LONGEST_NANOS, RequestTally.LONGEST_NANOS / 100 * 101);
    }

    @Test
    void counting_makes_no_objects() {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        count(10_000);
        long before = threads.getCurrentThreadAllocatedBytes();
        count(10_000);
        assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(10_000);
    }

    private void count(int times) {
        for (int i = 0; i < times; i++) {
            tally.served(RequestKind.of(15), i, 4096);
            tally.failed(RequestKind.of(16), i);
        }
    }

    @Test
    void a_reader_beside_the_writer_sees_no_fewer_requests_than_bytes_and_in_the_end_all() throws Exception {
        int requests = 200_000;
        var begun = new CountDownLatch(1);
        Thread writer = new Thread(() -> {
            begun.countDown();
            for (int i = 0; i < requests; i++) {
                tally.served(RequestKind.READ, i, 1);
            }
        });
        writer.start();
        begun.await();
        long last = 0;
        while (writer.isAlive()) {
            RequestTally.Sum seen = sum(RequestKind.READ);
            assertThat(seen.latencies().getTotalCount()).isGreaterThanOrEqualTo(seen.bytes());
            assertThat(seen.bytes()).isGreaterThanOrEqualTo(last);
            last = seen.bytes();
        }
        writer.join();
        assertThat(sum(RequestKind.READ).latencies().getTotalCount()).isEqualTo(requests);
        assertThat(sum(RequestKind.READ).bytes()).isEqualTo(requests);
    }

    @Test
    void every_opcode_has_a_kind() {
        assertThat(RequestKind.of(15)).isEqualTo(RequestKind.READ);
        assertThat(RequestKind.of(30)).isEqualTo(RequestKind.FSYNC);
        for (int opcode : new int[] {-1, 0, 39, 63, 64, 4096, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            assertThat(RequestKind.of(opcode)).isEqualTo(RequestKind.OTHER);
        }
    }
}
