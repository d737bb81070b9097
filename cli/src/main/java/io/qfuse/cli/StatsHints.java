package io.qfuse.cli;

import io.qfuse.fuse.MountReport;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/** What a user may do about a slow mount, where the figures say so. */
final class StatsHints {

    private static final long MIB = 1L << 20;

    /** Fewer lookups are the first of each table, which always miss. */
    private static final long ENOUGH_LOOKUPS = 10_000;

    private static final double GOOD_HIT_RATIO = 0.95;
    private static final long ENOUGH_SYNCS = 10;
    private static final long SLOW_SYNC_NANOS = 5_000_000;

    /** From this size on a larger cache leaves no more room for changes. */
    private static final long CACHE_OF_MOST_CHANGES = 32 * MIB;

    private StatsHints() {}

    static List<String> of(MountReport report) {
        List<String> hints = new ArrayList<>();
        cacheSize(report, hints);
        changes(report, hints);
        syncs(report, hints);
        return hints;
    }

    private static void cacheSize(MountReport report, List<String> hints) {
        OptionalDouble ratio = StatsRatios.hits(report, "l2");
        long lookups = report.get("cache.l2.hits") + report.get("cache.l2.misses");
        long all = report.get("cache.l2_tables_bytes");
        if (lookups >= ENOUGH_LOOKUPS && ratio.orElse(1) < GOOD_HIT_RATIO && all > report.get("cache.size_bytes")) {
            hints.add(String.format(
                    Locale.ROOT,
                    "only %.0f %% of the lookups in L2 tables found them in the cache; --cache-size=%dM has room for those of the whole disk",
                    100 * ratio.orElse(1),
                    (all + MIB - 1) / MIB));
        }
    }

    private static void changes(MountReport report, List<String> hints) {
        long awaited = report.get("checkpoints.awaited_by_writes");
        if (awaited > 0 && report.get("cache.size_bytes") < CACHE_OF_MOST_CHANGES) {
            hints.add(awaited
                    + " writes waited for a checkpoint because a quarter of the cache was changed; --cache-size="
                    + CACHE_OF_MOST_CHANGES / MIB + "M makes that rarer");
        }
    }

    private static void syncs(MountReport report, List<String> hints) {
        long syncs = report.get("host.syncs");
        long mean = (long) StatsRatios.mean(report.get("host.sync_ns"), syncs).orElse(0);
        if (syncs >= ENOUGH_SYNCS && mean >= SLOW_SYNC_NANOS) {
            hints.add("the host takes " + StatsText.time(mean)
                    + " on average to make written data durable: no fsync is faster than that");
        }
    }
}
