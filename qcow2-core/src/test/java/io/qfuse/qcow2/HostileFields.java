package io.qfuse.qcow2;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.format.L1Entry;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.format.RefcountTableEntry;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.Specimen;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Every field of an image that a table or the header has, found in an image that is sound, and for each the values that
 * should not be there. The lists are data: which fields there are stands in {@link #of}, which values in {@link #values}.
 */
final class HostileFields {

    /**
     * One field.
     *
     * @param name as the format calls it
     * @param at its place in the file
     * @param bytes its length
     * @param from the first guest byte that reads otherwise when the field is damaged
     * @param to the end of them
     * @param counts whether free clusters are told by it, so that a write may hit others
     */
    record Field(String name, long at, int bytes, long from, long to, boolean counts) {

        long value(MemoryHostFile file) {
            return new BigInteger(1, file.bytes(at, bytes)).longValue();
        }

        void set(MemoryHostFile file, long value) {
            byte[] word = ByteBuffer.allocate(8).putLong(value).array();
            file.write(at, word, 8 - bytes, bytes);
        }

        boolean concerns(long guest, int length) {
            return guest < to && from < guest + length;
        }
    }

    private static final long ALL = Long.MAX_VALUE;

    /** Also what differs between specimens only in name. */
    private static final boolean EVERYTHING = Boolean.getBoolean("qfuse.long");

    private final List<Field> fields = new ArrayList<>();
    private final MemoryHostFile file;
    private final Header header;
    private final Geometry geometry;
    private final long l2Table;
    private final long refcountBlock;
    private final Map<String, Long> places = new LinkedHashMap<>();

    private HostileFields(MemoryHostFile file) throws IOException {
        this.file = file;
        this.header = HeaderReader.read(file);
        this.geometry = header.geometry();
        this.l2Table = L1Entry.l2Offset(word(header.l1Offset()));
        this.refcountBlock = RefcountTableEntry.blockOffset(word(header.refcountTableOffset()));
        place("the header", 0);
        place("the L1 table", header.l1Offset());
        place("the refcount table", header.refcountTableOffset());
        place("a refcount block", refcountBlock);
        place("an L2 table", l2Table);
        place("another L2 table", L1Entry.l2Offset(word(header.l1Offset() + 8)));
        place("a data cluster", geometry.clusterStart(L2Entry.hostOffset(word(l2Table))));
        place("the snapshot table", header.snapshotsOffset());
        place("the end of the file", geometry.clusterCeiling(file.size()));
        place("far behind the end of the file", 1L << 40);
    }

    private void place(String name, long offset) {
        if (offset != 0 || places.isEmpty()) {
            places.put(name, offset);
        }
    }

    private long word(long at) {
        return ByteBuffer.wrap(file.bytes(at, 8)).getLong();
    }

    /** The fields of a specimen: header, extensions, tables and directories, as many as it has. */
    static List<Field> of(Specimen specimen) throws IOException {
        return of(specimen.file());
    }

    /** The same of any sound image. */
    static List<Field> of(MemoryHostFile image) throws IOException {
        HostileFields found = new HostileFields(image);
        found.header();
        found.extensions();
        found.tables();
        found.refcounts();
        found.snapshots();
        found.bitmaps();
        return found.fields;
    }

    private void add(String name, long at, int bytes, boolean guest) {
        fields.add(new Field(name, at, bytes, 0, guest ? ALL : 0, false));
    }

    private void header() {
        add("magic", 0, 4, true);
        add("version", 4, 4, true);
        add("backing_file_offset", 8, 8, true);
        add("backing_file_size", 16, 4, true);
        add("cluster_bits", 20, 4, true);
        add("size", 24, 8, false);
        add("crypt_method", 32, 4, true);
        add("l1_size", 36, 4, false);
        add("l1_table_offset", 40, 8, true);
        fields.add(new Field("refcount_table_offset", 48, 8, 0, 0, true));
        fields.add(new Field("refcount_table_clusters", 56, 4, 0, 0, true));
        add("nb_snapshots", 60, 4, false);
        add("snapshots_offset", 64, 8, false);
        if (header.version() == 2) {
            return;
        }
        add("incompatible_features", 72, 8, true);
        add("compatible_features", 80, 8, false);
        add("autoclear_features", 88, 8, false);
        fields.add(new Field("refcount_order", 96, 4, 0, 0, true));
        add("header_length", 100, 4, true);
        add("compression_type", 104, 1, true);
        add("header padding", 105, 7, false);
    }

    private void extensions() {
        long at = header.headerLength();
        for (HeaderExtension extension : header.extensions()) {
            String name = "extension 0x" + Integer.toHexString(extension.type());
            add(name + " type", at, 4, false);
            add(name + " length", at + 4, 4, true);
            if (extension.type() == HeaderExtension.BITMAPS) {
                add("nb_bitmaps", at + 8, 4, false);
                add("bitmaps reserved", at + 12, 4, false);
                add("bitmap_directory_size", at + 16, 8, false);
                add("bitmap_directory_offset", at + 24, 8, false);
            } else {
                add(name + " data", at + 8, 8, false);
            }
            at += 8 + ((extension.data().length + 7) & -8);
        }
        add("end of extensions", at, 4, false);
        add("end of extensions length", at + 4, 4, false);
    }

    private void tables() {
        long reach = geometry.l2Reach();
        int entries = Math.min(2, header.l1Size());
        for (int i = 0; i < entries; i++) {
            fields.add(new Field("L1 entry " + i, header.l1Offset() + 8L * i, 8, i * reach, (i + 1) * reach, false));
        }
        int size = geometry.l2EntrySize();
        // The first ones hold data, the ones at 8 and 16 KiB may be zero clusters; the last one ends the table.
        for (int i : new int[] {0, 1, 2, 16, 32, geometry.l2Entries() - 1}) {
            long guest = (long) i * geometry.clusterSize();
            if (i < geometry.l2Entries()) {
                fields.add(new Field(
                        "L2 entry " + i, l2Table + (long) i * size, 8, guest, guest + geometry.clusterSize(), false));
                if (size == 16) {
                    fields.add(new Field(
                            "L2 bitmap " + i,
                            l2Table + (long) i * size + 8,
                            8,
                            guest,
                            guest + geometry.clusterSize(),
                            false));
                }
            }
        }
    }

    private void refcounts() {
        long table = header.refcountTableOffset();
        fields.add(new Field("refcount table entry 0", table, 8, 0, 0, true));
        fields.add(new Field("refcount table entry 1", table + 8, 8, 0, 0, true));
        for (Map.Entry<String, Long> place : places.entrySet()) {
            long bits = geometry.clusterIndex(place.getValue()) << geometry.refcountOrder();
            if (bits < 8L * geometry.clusterSize()) {
                int bytes = Math.max(1, 1 << geometry.refcountOrder() >> 3);
                fields.add(new Field("refcount of " + place.getKey(), refcountBlock + bits / 8, bytes, 0, 0, true));
            }
        }
    }

    private void snapshots() {
        if (header.snapshotCount() == 0) {
            return;
        }
        long at = header.snapshotsOffset();
        add("snapshot L1 offset", at, 8, false);
        add("snapshot L1 size", at + 8, 4, false);
        add("snapshot id length", at + 12, 2, false);
        add("snapshot name length", at + 14, 2, false);
        add("snapshot date", at + 16, 8, false);
        add("snapshot VM clock", at + 24, 8, false);
        add("snapshot VM state size", at + 32, 4, false);
        add("snapshot extra data size", at + 36, 4, false);
        add("snapshot VM state size 64", at + 40, 8, false);
        add("snapshot disk size", at + 48, 8, false);
        add("snapshot icount", at + 56, 8, false);
        add("snapshot id and name", at + 64, 8, false);
        add("snapshot L1 entry 0", word(at), 8, false);
    }

    private void bitmaps() {
        header.extension(HeaderExtension.BITMAPS).ifPresent(data -> {
            long at = ByteBuffer.wrap(data).getLong(16);
            add("bitmap table offset", at, 8, false);
            add("bitmap table size", at + 8, 4, false);
            add("bitmap flags", at + 12, 4, false);
            add("bitmap type", at + 16, 1, false);
            add("bitmap granularity", at + 17, 1, false);
            add("bitmap name length", at + 18, 2, false);
            add("bitmap extra size", at + 20, 4, false);
            add("bitmap name", at + 24, 8, false);
            add("bitmap table entry 0", word(at), 8, false);
        });
    }

    /** The values for a field, by the words that tell them; all differ from each other and from what is there. */
    static Map<String, Long> values(Specimen specimen, Field field) throws IOException {
        MemoryHostFile file = specimen.file();
        HostileFields image = new HostileFields(file);
        Map<String, Long> values = new LinkedHashMap<>();
        long old = field.value(file);
        long most = -1L >>> (64 - 8 * field.bytes());
        values.put("0", 0L);
        values.put("1", 1L);
        values.put("all ones", most);
        values.put("one less", old - 1);
        values.put("one more", old + 1);
        values.put("its first bit flipped", old ^ Long.highestOneBit(most));
        if (field.bytes() == 4) {
            values.put("2^31 - 1", (1L << 31) - 1);
            values.put("2^16 + 1", (1L << 16) + 1);
        }
        if (field.bytes() == 8) {
            values.put("2^56", 1L << 56);
            values.put("2^62", 1L << 62);
            values.put("2^63", 1L << 63);
            values.put("2^63 - 512", Long.MAX_VALUE - 511);
            values.put("unaligned", old + 0x200);
            values.put("unaligned by 8", old + 8);
            image.places.forEach((name, offset) -> {
                values.put(name, offset);
                if (field.name().contains("entry")) {
                    values.put(name + ", COPIED", offset | L1Entry.COPIED);
                }
            });
            values.put("the end of what it can name, COPIED", L2Entry.OFFSET_MASK | L1Entry.COPIED);
            values.put("itself, COPIED", image.geometry.clusterStart(field.at()) | L1Entry.COPIED);
            values.put("itself", image.geometry.clusterStart(field.at()));
        }
        List<Long> seen = new ArrayList<>(List.of(old & most));
        values.values().removeIf(value -> {
            boolean again = seen.contains(value & most);
            seen.add(value & most);
            return again;
        });
        values.replaceAll((name, value) -> value & most);
        return values;
    }

    /** One damage: a specimen in which one field has a value that should not be there. */
    record Damage(Specimen specimen, Field field, String words, long value) {

        MemoryHostFile file() {
            MemoryHostFile image = specimen.file();
            field.set(image, value);
            return image;
        }

        /** Whether guest clusters elsewhere may be overwritten because of it, which nobody can tell from the tables used. */
        boolean mayHitOthers() {
            long named = value & L2Entry.OFFSET_MASK;
            boolean pointer = field.name().matches("L.*|bitmap table.*");
            return field.counts() || (pointer && named != 0 && named < 2 << 20);
        }

        @Override
        public String toString() {
            return specimen + ": " + field.name() + " is " + words + " (0x" + Long.toHexString(value) + ")";
        }
    }

    /** All fields of all specimens with all their values. */
    static List<Damage> all() throws IOException {
        List<Damage> all = new ArrayList<>();
        for (Specimen specimen : Specimen.all()) {
            for (Field field : of(specimen)) {
                if (!specimen.isSpecial(field.name()) && !EVERYTHING) {
                    continue;
                }
                values(specimen, field).forEach((words, value) -> all.add(new Damage(specimen, field, words, value)));
            }
        }
        return all;
    }
}
