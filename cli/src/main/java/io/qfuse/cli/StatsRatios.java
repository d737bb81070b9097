package io.qfuse.cli;

import io.qfuse.fuse.MountReport;
import java.util.OptionalDouble;

/** What the numbers of a report say together; empty where there is nothing to divide by. */
final class StatsRatios {

    private StatsRatios() {}

    /** The share of the lookups in a cache that found what they wanted. */
    static OptionalDouble hits(MountReport report, String cache) {
        long hits = report.get("cache." + cache + ".hits");
        return ratio(hits, hits + report.get("cache." + cache + ".misses"));
    }

    /** Calls to the host for each read and write request. */
    static OptionalDouble perRequest(MountReport report, String hostCalls) {
        long requests = report.get("requests.read.count") + report.get("requests.write.count");
        return ratio(report.get("host." + hostCalls), requests);
    }

    /** The time in nanoseconds that each of some things took. */
    static OptionalDouble mean(long totalNanos, long count) {
        return ratio(totalNanos, count);
    }

    private static OptionalDouble ratio(long part, long whole) {
        return whole == 0 ? OptionalDouble.empty() : OptionalDouble.of((double) part / whole);
    }
}
