package io.qfuse.qcow2;

import io.qfuse.qcow2.CreateOptions.Backing;
import io.qfuse.qcow2.CreateOptions.Compression;
import io.qfuse.qcow2.CreateOptions.DataFile;
import io.qfuse.qcow2.CreateOptions.Preallocation;
import io.qfuse.qcow2.format.Limits;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads creation options as qemu-img spells them. */
final class CreateOptionsParser {

    /** Known to qemu-img, not built here: refused by name unless switched off. */
    private static final Set<String> NOT_SUPPORTED = Set.of("encryption", "nocow");

    private final Map<String, String> values = new LinkedHashMap<>();

    CreateOptions parse(List<String> words) {
        for (String word : words) {
            for (String option : split(word)) {
                int equals = option.indexOf('=');
                if (equals <= 0) {
                    throw new IllegalArgumentException("'" + option + "' is not of the form option=value");
                }
                values.put(option.substring(0, equals), option.substring(equals + 1));
            }
        }
        String size = take("size");
        CreateOptions options = new CreateOptions(
                size == null ? CreateOptions.SIZE_OF_BACKING : Sizes.parse(size),
                clusterSize(),
                version(),
                refcountBits(),
                flag("lazy_refcounts"),
                flag("extended_l2"),
                compression(),
                preallocation(),
                backing(),
                dataFile(),
                false);
        refuseTheRest();
        requireVersion3For(options);
        if (options.extendedL2() && options.clusterSize() < 1 << Limits.MIN_EXTENDED_L2_CLUSTER_BITS) {
            throw new IllegalArgumentException("extended_l2=on is not possible with cluster_size="
                    + options.clusterSize() + ": it must be at least 16k");
        }
        return options;
    }

    private static List<String> split(String word) {
        List<String> options = new ArrayList<>();
        StringBuilder option = new StringBuilder();
        for (int i = 0; i < word.length(); i++) {
            char c = word.charAt(i);
            boolean doubled = c == ',' && i + 1 < word.length() && word.charAt(i + 1) == ',';
            if (c == ',' && !doubled) {
                options.add(option.toString());
                option.setLength(0);
            } else {
                option.append(c);
                i += doubled ? 1 : 0;
            }
        }
        options.add(option.toString());
        return options;
    }

    private @Nullable String take(String key) {
        return values.remove(key);
    }

    private int clusterSize() {
        String value = take("cluster_size");
        long bytes = value == null ? 1 << 16 : Sizes.parse(value);
        if (Long.bitCount(bytes) != 1 || bytes < 1 << Limits.MIN_CLUSTER_BITS || bytes > 1 << Limits.MAX_CLUSTER_BITS) {
            throw new IllegalArgumentException(
                    "cluster_size=" + value + " is not possible: it must be a power of two from 512 to 2M");
        }
        return (int) bytes;
    }

    private int version() {
        String value = take("compat");
        if (value == null || value.equals("1.1") || value.equals("v3")) {
            return 3;
        }
        if (value.equals("0.10") || value.equals("v2")) {
            return 2;
        }
        throw new IllegalArgumentException("compat=" + value + " is not possible: it must be 0.10 (v2) or 1.1 (v3)");
    }

    private int refcountBits() {
        String value = take("refcount_bits");
        if (value == null) {
            return 16;
        }
        if (!Set.of("1", "2", "4", "8", "16", "32", "64").contains(value)) {
            throw new IllegalArgumentException(
                    "refcount_bits=" + value + " is not possible: it must be 1, 2, 4, 8, 16, 32 or 64");
        }
        return Integer.parseInt(value);
    }

    private Compression compression() {
        String value = take("compression_type");
        if (value == null || value.equals("zlib")) {
            return Compression.ZLIB;
        }
        if (value.equals("zstd")) {
            return Compression.ZSTD;
        }
        throw new IllegalArgumentException("compression_type=" + value + " is not possible: it must be zlib or zstd");
    }

    private Preallocation preallocation() {
        String value = take("preallocation");
        if (value == null || value.equals("off")) {
            return Preallocation.OFF;
        }
        if (value.equals("metadata")) {
            return Preallocation.METADATA;
        }
        throw new IllegalArgumentException("preallocation=" + value + " is not supported: use off or metadata");
    }

    private @Nullable Backing backing() {
        String file = take("backing_file");
        String format = take("backing_fmt");
        if (file == null) {
            if (format != null) {
                throw new IllegalArgumentException("backing_fmt=" + format + " is given without backing_file");
            }
            return null;
        }
        if (format == null) {
            throw new IllegalArgumentException(
                    "backing_file=" + file + " is given without backing_fmt: say whether it is qcow2 or raw");
        }
        return new Backing(file, format);
    }

    private @Nullable DataFile dataFile() {
        String file = take("data_file");
        boolean raw = flag("data_file_raw");
        if (file == null && raw) {
            throw new IllegalArgumentException("data_file_raw=on is given without data_file");
        }
        return file == null ? null : new DataFile(file, raw);
    }

    private boolean flag(String key) {
        String value = take(key);
        if (value == null || value.equals("off")) {
            return false;
        }
        if (value.equals("on")) {
            return true;
        }
        throw new IllegalArgumentException(key + "=" + value + " is not possible: it must be on or off");
    }

    private void refuseTheRest() {
        values.forEach((key, value) -> {
            boolean known = NOT_SUPPORTED.contains(key) || key.startsWith("encrypt.");
            if (!known) {
                throw new IllegalArgumentException("there is no option '" + key + "'");
            }
            if (!value.equals("off")) {
                throw new IllegalArgumentException(key + "=" + value + " is not supported");
            }
        });
    }

    private static void requireVersion3For(CreateOptions options) {
        if (options.version() >= 3) {
            return;
        }
        if (options.refcountBits() != 16) {
            throw new IllegalArgumentException(
                    "refcount_bits=" + options.refcountBits() + " is not possible with compat=0.10: it must be 16");
        }
        if (options.lazyRefcounts()) {
            throw new IllegalArgumentException("lazy_refcounts=on is not possible with compat=0.10");
        }
        DataFile dataFile = options.dataFile();
        if (dataFile != null) {
            throw new IllegalArgumentException("data_file=" + dataFile.file() + " is not possible with compat=0.10");
        }
        if (options.extendedL2()) {
            throw new IllegalArgumentException("extended_l2=on is not possible with compat=0.10");
        }
        if (options.compression() == Compression.ZSTD) {
            throw new IllegalArgumentException("compression_type=zstd is not possible with compat=0.10");
        }
    }
}
