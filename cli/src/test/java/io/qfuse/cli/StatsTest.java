package io.qfuse.cli;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.fuse.MountReport;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What is made of a report, for people and for programs. */
class StatsTest {

    private static final String READS = """
            uptime_ns 7322000000000
            workers 2
            requests.read.count 1000
            requests.read.failed 0
            requests.read.bytes 4096000
            requests.read.latency_ns.mean 2200
            requests.read.latency_ns.p50 2000
            requests.read.latency_ns.p99 30000
            requests.read.latency_ns.p99_9 4000000
            requests.read.latency_ns.max 5000000000
            cache.size_bytes 33554432
            cache.l2_tables_bytes 1
            cache.l2.hits 2
            cache.l2.misses 1
            host.reads 1500
            """;

    private static MountReport report(String... lines) {
        return MountReport.parse(String.join("\n", lines).getBytes(US_ASCII));
    }

    @Test
    void numbers_become_fields_and_ratios_are_there_where_something_was_counted() {
        assertThat(StatsJson.of(report(READS)).replaceAll("\\s", ""))
                .startsWith("{\"uptime_ns\":7322000000000,\"workers\":2,\"requests\":{\"read\":{\"count\":1000,")
                .contains("\"latency_ns\":{\"mean\":2200,\"p50\":2000,")
                .contains("\"l2\":{\"hits\":2,\"misses\":1,\"hit_ratio\":0.6667}")
                .contains("\"host\":{\"reads\":1500,\"reads_per_request\":1.5,\"writes_per_request\":0.0}")
                .doesNotContain("\"l1\"", "NaN");
        assertThat(StatsJson.of(report("uptime_ns 1"))).isEqualTo("{\n    \"uptime_ns\": 1\n}\n");
    }

    @Test
    void people_read_aligned_columns_with_units() {
        List<String> lines = StatsText.of(report(READS)).lines().toList();
        assertThat(lines.get(0)).isEqualTo("mounted for 2.0 h, 2 workers");
        assertThat(lines.get(2)).isEqualTo("requests  count  failed    bytes    mean     p50      p99   p99.9    max");
        assertThat(lines.get(3)).isEqualTo("read       1000       0  3.9 MiB  2.2 us  2.0 us  30.0 us  4.0 ms  5.0 s");
        assertThat(lines).anyMatch(line -> line.matches("L2 tables +2 +1 +66\\.7 %"));
        assertThat(lines).anyMatch(line -> line.matches("reads +1500 +0 B +1\\.50"));
        assertThat(lines).noneMatch(line -> line.startsWith("hint") || line.endsWith(" "));
    }

    @Test
    void a_report_without_requests_is_no_trouble() {
        assertThat(StatsText.of(report())).contains("L2 tables", "-").doesNotContain("NaN", "hint");
    }

    @Test
    void a_larger_cache_is_advised_where_the_tables_do_not_fit_and_are_missed() {
        String missed = "cache.l2.hits 41000\ncache.l2.misses 59000\ncache.size_bytes 33554432\n";
        assertThat(StatsHints.of(report(missed + "cache.l2_tables_bytes 139460609")))
                .containsExactly("only 41 % of the lookups in L2 tables found them in the cache;"
                        + " --cache-size=134M has room for those of the whole disk");
        assertThat(StatsHints.of(report(missed + "cache.l2_tables_bytes 33554432")))
                .as("they fit: the misses were the first ones")
                .isEmpty();
        assertThat(StatsHints.of(report("cache.l2.hits 96000\ncache.l2.misses 4000\ncache.l2_tables_bytes 139460608")))
                .isEmpty();
        assertThat(StatsHints.of(report("cache.l2.misses 9999\ncache.l2_tables_bytes 139460608")))
                .isEmpty();
    }

    @Test
    void a_slow_host_and_a_cache_too_small_for_changes_are_told() {
        assertThat(StatsHints.of(report("host.syncs 10\nhost.sync_ns 50000000")))
                .singleElement()
                .asString()
                .startsWith("the host takes 5.0 ms on average");
        assertThat(StatsHints.of(report("host.syncs 9\nhost.sync_ns 50000000"))).isEmpty();
        assertThat(StatsHints.of(report("host.syncs 11\nhost.sync_ns 50000000")))
                .isEmpty();
        assertThat(StatsHints.of(report("checkpoints.awaited_by_writes 3\ncache.size_bytes 1048576")))
                .singleElement()
                .asString()
                .startsWith("3 writes waited for a checkpoint");
        assertThat(StatsHints.of(report("checkpoints.awaited_by_writes 3\ncache.size_bytes 33554432")))
                .isEmpty();
    }
}
