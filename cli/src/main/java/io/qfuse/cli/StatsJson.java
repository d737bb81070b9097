package io.qfuse.cli;

import io.qfuse.fuse.MountReport;
import io.qfuse.qcow2.info.Json;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/** A report as an object for programs: each part of a name is a field. */
final class StatsJson {

    private static final double PLACES = 1e4;

    private StatsJson() {}

    static String of(MountReport report) {
        Map<String, Object> root = new LinkedHashMap<>();
        report.values().forEach((name, value) -> put(root, name, value));
        for (String cache : List.of("l1", "l2", "refcounts", "decompressed")) {
            putRatio(root, "cache." + cache + ".hit_ratio", StatsRatios.hits(report, cache));
        }
        for (String calls : List.of("reads", "writes")) {
            putRatio(root, "host." + calls + "_per_request", StatsRatios.perRequest(report, calls));
        }
        return Json.of(root) + "\n";
    }

    private static void putRatio(Map<String, Object> root, String name, OptionalDouble ratio) {
        ratio.ifPresent(value -> put(root, name, Math.round(value * PLACES) / PLACES));
    }

    @SuppressWarnings("unchecked") // what has fields is made here
    private static void put(Map<String, Object> root, String name, Object value) {
        String[] parts = name.split("\\.", -1);
        Map<String, Object> object = root;
        for (int i = 0; i < parts.length - 1; i++) {
            object =
                    (Map<String, Object>) object.computeIfAbsent(parts[i], none -> new LinkedHashMap<String, Object>());
        }
        object.put(parts[parts.length - 1], value);
    }
}
