package io.qfuse.qcow2.info;

import io.qfuse.qcow2.ImageInfo;
import io.qfuse.qcow2.format.BitmapRecord;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.SnapshotRecord;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The facts about an image under the names that qemu-img gives them. */
public final class Facts {

    private static final long NANOS = 1_000_000_000;

    private Facts() {}

    /** All facts: a tree of maps, lists, strings, numbers and booleans. */
    public static Map<String, Object> of(ImageInfo info) {
        Header header = info.header();
        Map<String, Object> facts = new LinkedHashMap<>();
        if (!info.snapshots().isEmpty()) {
            facts.put(
                    "snapshots", info.snapshots().stream().map(Facts::snapshot).toList());
        }
        if (header.backingFile() != null && !header.backingFormat().isEmpty()) {
            facts.put("backing-filename-format", header.backingFormat());
        }
        facts.put("virtual-size", servedSize(header));
        facts.put("filename", info.path().toString());
        facts.put("cluster-size", header.geometry().clusterSize());
        facts.put("format", "qcow2");
        facts.put("actual-size", info.allocatedBytes());
        Map<String, Object> specific = new LinkedHashMap<>();
        specific.put("type", "qcow2");
        specific.put("data", specific(info));
        facts.put("format-specific", specific);
        if (header.cryptMethod() != 0) {
            facts.put("encrypted", true);
        }
        if (header.backingFile() != null) {
            facts.put("full-backing-filename", fullBackingName(info));
            facts.put("backing-filename", header.backingFile());
        }
        facts.put("dirty-flag", (header.incompatible() & Features.DIRTY) != 0);
        return facts;
    }

    /** The facts that only qcow2 images have. */
    static Map<String, Object> specific(ImageInfo info) {
        Header header = info.header();
        Map<String, Object> data = new LinkedHashMap<>();
        data.put("compat", header.version() == 2 ? "0.10" : "1.1");
        data.put("compression-type", header.compressionType() == Header.COMPRESSION_ZSTD ? "zstd" : "zlib");
        boolean v3 = header.version() >= 3;
        if (v3) {
            data.put("lazy-refcounts", (header.compatible() & Features.LAZY_REFCOUNTS) != 0);
        }
        if (!info.bitmaps().isEmpty()) {
            data.put("bitmaps", info.bitmaps().stream().map(Facts::bitmap).toList());
        }
        data.put("refcount-bits", 1 << header.refcountOrder());
        if (header.cryptMethod() != 0) {
            data.put("encrypt", info.luks() == null ? Map.of("format", "aes") : LuksFacts.of(info.luks()));
        }
        if (header.hasExternalData()) {
            if (!header.dataFile().isEmpty()) {
                data.put("data-file", header.dataFile());
            }
            data.put("data-file-raw", header.hasRawExternalData());
        }
        if (v3) {
            data.put("corrupt", (header.incompatible() & Features.CORRUPT) != 0);
            data.put("extended-l2", (header.incompatible() & Features.EXTENDED_L2) != 0);
        }
        return data;
    }

    /** The size that readers see: whole sectors of what is stored. */
    static long servedSize(Header header) {
        return header.size() & -512;
    }

    /** The backing file as seen from where the image was named; names with a protocol stand for themselves. */
    static String fullBackingName(ImageInfo info) {
        String name = String.valueOf(info.header().backingFile());
        int colon = name.indexOf(':');
        int slash = name.indexOf('/');
        boolean protocol = colon >= 0 && (slash < 0 || colon < slash);
        return protocol ? name : info.path().resolveSibling(name).toString();
    }

    private static Map<String, Object> snapshot(SnapshotRecord snapshot) {
        Map<String, Object> facts = new LinkedHashMap<>();
        if (snapshot.icount() != -1) {
            facts.put("icount", snapshot.icount());
        }
        facts.put("vm-clock-nsec", snapshot.vmClockNanos() % NANOS);
        facts.put("name", snapshot.name());
        facts.put("date-sec", snapshot.dateSeconds());
        facts.put("date-nsec", snapshot.dateNanos());
        facts.put("vm-clock-sec", snapshot.vmClockNanos() / NANOS);
        facts.put("id", snapshot.id());
        facts.put("vm-state-size", snapshot.vmStateSize());
        return facts;
    }

    private static Map<String, Object> bitmap(BitmapRecord bitmap) {
        List<String> flags = new ArrayList<>();
        if (bitmap.has(BitmapRecord.IN_USE)) {
            flags.add("in-use");
        }
        if (bitmap.has(BitmapRecord.AUTO)) {
            flags.add("auto");
        }
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("flags", flags);
        facts.put("name", bitmap.name());
        facts.put("granularity", 1L << bitmap.granularityBits());
        return facts;
    }
}
