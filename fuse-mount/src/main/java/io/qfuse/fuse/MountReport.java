package io.qfuse.fuse;

import io.qfuse.qcow2.DiskStatistics;
import io.qfuse.qcow2.DiskStatistics.Lookups;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.HdrHistogram.Histogram;

/**
 * What a mount has done since it began, as whole numbers under names; immutable. Names have parts, from large to small, and the last
 * has the unit: {@code requests.read.latency_ns.p99}. They travel as text, a line each, so that a program of another version
 * understands those that it knows.
 */
public final class MountReport {

    private final Map<String, Long> values;

    private MountReport(Map<String, Long> values) {
        this.values = Collections.unmodifiableMap(values);
    }

    static MountReport of(long uptimeNanos, List<RequestTally> tallies, DiskStatistics disks) {
        Map<String, Long> values = new LinkedHashMap<>();
        values.put("uptime_ns", uptimeNanos);
        values.put("workers", (long) tallies.size());
        for (RequestKind kind : RequestKind.values()) {
            putRequests(values, kind, RequestTally.sum(tallies, kind));
        }
        values.put("cache.size_bytes", disks.cacheBytes());
        values.put("cache.l2_tables_bytes", disks.l2Bytes());
        putLookups(values, "l1", disks.l1());
        putLookups(values, "l2", disks.l2());
        putLookups(values, "refcounts", disks.refcounts());
        putLookups(values, "decompressed", disks.decompressed());
        DiskStatistics.Host host = disks.host();
        values.put("host.reads", host.reads());
        values.put("host.read_bytes", host.readBytes());
        values.put("host.writes", host.writes());
        values.put("host.written_bytes", host.writtenBytes());
        values.put("host.syncs", host.syncs());
        values.put("host.sync_ns", host.syncNanos());
        DiskStatistics.Checkpoints checkpoints = disks.checkpoints();
        values.put("checkpoints.count", checkpoints.count());
        values.put("checkpoints.total_ns", checkpoints.nanos());
        values.put("checkpoints.longest_ns", checkpoints.longestNanos());
        values.put("checkpoints.awaited_by_writes", checkpoints.awaited());
        return new MountReport(values);
    }

    /** Kinds that nobody has asked for are left out. */
    private static void putRequests(Map<String, Long> values, RequestKind kind, RequestTally.Sum sum) {
        Histogram latencies = sum.latencies();
        if (latencies.getTotalCount() == 0) {
            return;
        }
        String name = "requests." + kind.name().toLowerCase(Locale.ROOT);
        values.put(name + ".count", latencies.getTotalCount());
        values.put(name + ".failed", sum.failed());
        values.put(name + ".bytes", sum.bytes());
        String latency = name + ".latency_ns.";
        values.put(latency + "mean", (long) latencies.getMean());
        values.put(latency + "p50", latencies.getValueAtPercentile(50));
        values.put(latency + "p99", latencies.getValueAtPercentile(99));
        values.put(latency + "p99_9", latencies.getValueAtPercentile(99.9));
        values.put(latency + "max", latencies.getMaxValue());
    }

    private static void putLookups(Map<String, Long> values, String cache, Lookups lookups) {
        values.put("cache." + cache + ".hits", lookups.hits());
        values.put("cache." + cache + ".misses", lookups.misses());
    }

    /** All numbers under their names, in a sensible order. */
    public Map<String, Long> values() {
        return values;
    }

    /** A number; 0 where the server does not know it. */
    public long get(String name) {
        return values.getOrDefault(name, 0L);
    }

    /** The text that {@link #parse} reads. */
    public byte[] text() {
        StringBuilder text = new StringBuilder();
        values.forEach(
                (name, value) -> text.append(name).append(' ').append(value).append('\n'));
        return text.toString().getBytes(StandardCharsets.US_ASCII);
    }

    /** Reads a report; lines that make no sense are left out. */
    public static MountReport parse(byte[] text) {
        Map<String, Long> values = new LinkedHashMap<>();
        for (String line : new String(text, StandardCharsets.US_ASCII).split("\n", -1)) {
            int space = line.indexOf(' ');
            if (space > 0 && line.substring(space + 1).matches("-?[0-9]{1,18}")) {
                values.put(line.substring(0, space), Long.parseLong(line.substring(space + 1)));
            }
        }
        return new MountReport(values);
    }
}
