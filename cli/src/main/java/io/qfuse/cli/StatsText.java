package io.qfuse.cli;

import io.qfuse.fuse.MountReport;
import io.qfuse.fuse.RequestKind;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/** A report for people: tables with units, and hints behind them. */
final class StatsText {

    private static final List<String> LATENCIES = List.of("mean", "p50", "p99", "p99_9", "max");

    private static final long KIB = 1L << 10;
    private static final long MIB = 1L << 20;
    private static final long GIB = 1L << 30;
    private static final long MICRO = 1_000;
    private static final long MILLI = 1_000_000;
    private static final long SECOND = 1_000_000_000;
    private static final long HOUR = 3600 * SECOND;

    private final MountReport report;
    private final StringBuilder text = new StringBuilder();

    private StatsText(MountReport report) {
        this.report = report;
    }

    static String of(MountReport report) {
        StatsText made = new StatsText(report);
        made.text.append("mounted for ").append(time(report.get("uptime_ns"))).append(", ");
        made.text.append(report.get("workers")).append(" workers\n\n");
        made.requests();
        made.caches();
        made.host();
        made.checkpoints();
        StatsHints.of(report)
                .forEach(hint -> made.text.append("\nhint: ").append(hint).append('\n'));
        return made.text.toString();
    }

    private void requests() {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("requests", "count", "failed", "bytes", "mean", "p50", "p99", "p99.9", "max"));
        for (RequestKind kind : RequestKind.values()) {
            String name = kind.name().toLowerCase(Locale.ROOT);
            String prefix = "requests." + name + ".";
            if (report.get(prefix + "count") == 0) {
                continue;
            }
            List<String> row = new ArrayList<>();
            row.add(name);
            row.add(number(prefix + "count"));
            row.add(number(prefix + "failed"));
            row.add(kind == RequestKind.READ || kind == RequestKind.WRITE ? size(report.get(prefix + "bytes")) : "");
            LATENCIES.forEach(latency -> row.add(time(report.get(prefix + "latency_ns." + latency))));
            rows.add(row);
        }
        table(rows);
    }

    private void caches() {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("cache", "hits", "misses", "hit ratio"));
        rows.add(lookups("L1 tables", "l1"));
        rows.add(lookups("L2 tables", "l2"));
        rows.add(lookups("refcounts", "refcounts"));
        rows.add(lookups("decompressed clusters", "decompressed"));
        table(rows);
    }

    private List<String> lookups(String title, String cache) {
        String prefix = "cache." + cache + ".";
        return List.of(
                title,
                number(prefix + "hits"),
                number(prefix + "misses"),
                orDash("%.1f %%", 100, StatsRatios.hits(report, cache)));
    }

    private void host() {
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("host", "calls", "bytes", "per request", "mean"));
        rows.add(calls("reads", "read_bytes"));
        rows.add(calls("writes", "written_bytes"));
        long syncs = report.get("host.syncs");
        rows.add(List.of("syncs", "" + syncs, "", "", mean("host.sync_ns", syncs)));
        table(rows);
    }

    private List<String> calls(String calls, String bytes) {
        return List.of(
                calls,
                number("host." + calls),
                size(report.get("host." + bytes)),
                orDash("%.2f", 1, StatsRatios.perRequest(report, calls)),
                "");
    }

    private void checkpoints() {
        long count = report.get("checkpoints.count");
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("", "count", "mean", "longest", "awaited by writes"));
        rows.add(List.of(
                "checkpoints",
                "" + count,
                mean("checkpoints.total_ns", count),
                time(report.get("checkpoints.longest_ns")),
                number("checkpoints.awaited_by_writes")));
        table(rows);
        text.setLength(text.length() - 1); // no empty line behind the last
    }

    private String number(String name) {
        return Long.toString(report.get(name));
    }

    private String mean(String total, long count) {
        OptionalDouble mean = StatsRatios.mean(report.get(total), count);
        return mean.isPresent() ? time((long) mean.getAsDouble()) : "-";
    }

    private static String orDash(String format, double unit, OptionalDouble value) {
        return value.isPresent() ? String.format(Locale.ROOT, format, unit * value.getAsDouble()) : "-";
    }

    /** Bytes in the largest unit that leaves something before the point. */
    static String size(long bytes) {
        if (bytes < KIB) {
            return bytes + " B";
        }
        return bytes < MIB ? of(bytes, KIB, "KiB") : bytes < GIB ? of(bytes, MIB, "MiB") : of(bytes, GIB, "GiB");
    }

    /** A time in the largest unit that leaves something before the point. */
    static String time(long nanos) {
        if (nanos < MICRO) {
            return nanos + " ns";
        }
        if (nanos < SECOND) {
            return nanos < MILLI ? of(nanos, MICRO, "us") : of(nanos, MILLI, "ms");
        }
        return nanos < HOUR ? of(nanos, SECOND, "s") : of(nanos, HOUR, "h");
    }

    private static String of(long value, long unit, String name) {
        return String.format(Locale.ROOT, "%.1f %s", (double) value / unit, name);
    }

    /** The first column to the left, numbers to the right, an empty line behind. */
    private void table(List<List<String>> rows) {
        int columns = rows.get(0).size();
        int[] widths = new int[columns];
        for (List<String> row : rows) {
            for (int i = 0; i < columns; i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < columns; i++) {
                String pad = " ".repeat(widths[i] - row.get(i).length());
                line.append(i == 0 ? row.get(i) + pad : "  " + pad + row.get(i));
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
        text.append('\n');
    }
}
