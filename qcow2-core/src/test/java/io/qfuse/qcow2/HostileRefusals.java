package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.HostileFields.Damage;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.L2Entry;
import io.qfuse.qcow2.io.HostIoException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * How a refusal names what is wrong: for each field of {@link HostileFields}, what the message has to say when an image is
 * refused, or stops, because of it. The path of the image stands before everything.
 *
 * <p>In these expressions {@code #} is the value of the field, in decimal or hexadecimal digits, {@code @} the host offset that it
 * names, and {@code ~} any number. A field that two structures come to lie on each other by is named by them and the offset:
 * which of both is wrong cannot be told.
 */
final class HostileRefusals {

    /** What lies where something else does, or where nothing is. */
    private static final String ON_ANOTHER = "a write of .* at host offset ~ would hit the .*";

    private static final String TABLE_BEHIND =
            "the L2 table or refcount block at host offset ~ lies behind the end of the file";

    private static final String ITS_TABLE_BEHIND = TABLE_BEHIND.replace('~', '@');

    private static final String GIVEN_AWAY = "refcounts of ~ clusters from ~ on are 0, but the .* lies there";
    private static final String FREES_ANOTHER = "an L2 entry gives up ~ clusters of guest data at host offset ~, .*";
    private static final String BROKEN_STREAM = "compressed cluster at ~ cannot be read: .*";

    /** Field, and what a refusal says; the first row whose expression is the whole name counts. */
    private static final Map<Pattern, List<String>> ROWS = new LinkedHashMap<>();

    private static void row(String field, String... says) {
        ROWS.put(Pattern.compile(field), List.of(says));
    }

    static {
        row("magic", "not a qcow2 image: it starts with 0{0,7}#, not 514649fb");
        row("version", "version is #; only versions 2 and 3 are supported", "header_length is 0, not ~ to ~");
        row(
                "backing_file_offset",
                "backing_file_offset is #, beyond .*",
                ".*backing_file_offset is #.*",
                "backing_file_size is ~, not 0 to ~");
        row(
                "backing_file_size",
                "backing_file_size is #, not .*",
                ".*backing_file_size is #.*",
                "its backing file: .*");
        row("cluster_bits", "cluster_bits is #, .*", ".*\\(cluster_bits is #\\)");
        row("size", "size is #, beyond 2\\^63 - 1", "l1_size is ~, but a disk of # bytes needs ~");
        row(
                "crypt_method",
                "crypt_method is #, not 0 to 2",
                "is encrypted \\(legacy AES\\): .*",
                "crypt_method is 2 \\(LUKS\\), .*");
        row("l1_size", "l1_size is #, .*", "a write of .* would hit the active L1 table and the L2 table");
        row(
                "l1_table_offset",
                "(truncated: )?l1_table_offset is #, .*",
                ON_ANOTHER,
                FREES_ANOTHER,
                TABLE_BEHIND,
                "two entries name the L2 table at host offset ~");
        row(
                "refcount_table_offset",
                "(truncated: )?refcount_table_offset is #, .*",
                "entry ~ of the refcount table at # is unaligned or beyond 2\\^56: ~",
                TABLE_BEHIND,
                "a write of .* would hit the refcount (table|block).*",
                "a write of the refcount (table|block) .* would hit .*",
                GIVEN_AWAY);
        row(
                "refcount_table_clusters",
                "refcount_table_clusters is #, not 1 to ~",
                "a write of the refcount block at host offset ~ would hit the refcount table");
        row(
                "nb_snapshots",
                "nb_snapshots is #, not 0 to 65536",
                "snapshots_offset is 0, .*",
                "there is no snapshot .*");
        row(
                "snapshots_offset",
                "(truncated: )?snapshots_offset is #, .*",
                ".* entry ~ of the snapshot table is ~, not 0 to 1024",
                "there is no snapshot .*",
                "a write of .* would hit the snapshot table.*");
        row(
                "incompatible_features",
                "incompatible_features is #, with unknown bit .*",
                "compression_type is 0, but incompatible_features is #, with bit 3 set",
                "compression_type is ~, but incompatible_features is #, with bit 3 clear",
                "marked corrupt \\(incompatible feature bit 1\\): .*",
                "dirty, and more is wrong than its refcounts: .*",
                "cluster_bits is ~, too small for extended L2 entries",
                "entry ~ of the L[12] table at ~ .*",
                "l1_size is ~, but .*",
                "does not name its external data file; .*",
                BROKEN_STREAM);
        row("refcount_order", "refcount_order is #, not 0 to 6", GIVEN_AWAY);
        row("header_length", "header_length is #, not 104 to ~");
        row(
                "compression_type",
                "compression_type is #, but incompatible_features is ~, with bit 3 (set|clear)",
                "compression_type is #, not 0 or 1",
                BROKEN_STREAM);
        row(
                "L1 entry ~",
                ITS_TABLE_BEHIND,
                "the L2 table at host offset @ lies behind the end of the file",
                "entry ~ of the L1 table at ~ .*: # \\(guest offset ~\\)",
                "entry ~ of the L2 table at @ .*",
                "two entries name the L2 table at host offset @",
                ON_ANOTHER,
                FREES_ANOTHER,
                GIVEN_AWAY,
                BROKEN_STREAM);
        row(
                "L2 (entry|bitmap) ~",
                "entry ~ of the L2 table at ~ .*\\b# .*\\(guest offset ~\\)",
                "entry ~ of the L2 table at ~ has an impossible subcluster bitmap, #: .*",
                "a write of ~ bytes of guest data at host offset ~ (would hit the .*|lies behind the end of the file)",
                FREES_ANOTHER,
                "cluster @ was given up but its refcount is 0 already",
                BROKEN_STREAM);
        row(
                "refcount table entry ~",
                ITS_TABLE_BEHIND,
                "entry ~ of the refcount table at ~ is unaligned or beyond 2\\^56: ~",
                "two entries name the refcount block at host offset @",
                "refcount block @ occurs twice in the refcount table",
                "the refcount block at host offset @ lies behind the end of the file",
                "a write of .* would hit the .*refcount block",
                "a write of the refcount block at host offset @ would hit .*",
                FREES_ANOTHER,
                GIVEN_AWAY);
        row("refcount of .*", GIVEN_AWAY, FREES_ANOTHER);
        row(
                "snapshot L1 (offset|size)",
                "snapshot ~: l1_table_offset is #",
                "snapshot ~: l1_size is #, for a disk size of ~",
                "snapshot ~: its L1 table is cut off: .*(l1_table_offset|l1_size) is #.*",
                "entry ~ of the L1 table at # .*",
                TABLE_BEHIND,
                "a write of .* would hit .*the L1 table of a snapshot",
                FREES_ANOTHER,
                BROKEN_STREAM,
                GIVEN_AWAY);
        row(
                "snapshot L1 entry 0",
                ITS_TABLE_BEHIND,
                "entry 0 of the L1 table at ~ .*: # .*",
                "entry ~ of the L2 table at @ .*",
                BROKEN_STREAM);
        row("snapshot disk size", "snapshot ~: l1_size is ~, for a disk size of #");
        row(
                "snapshot (id|name) length",
                "truncated: the snapshot table is cut off in entry 0 .*(id|name) length #.*",
                "(truncated: the snapshot table is cut off in|extra data size of) entry 1 .*",
                "there is no snapshot .*");
        row(
                "snapshot extra data size",
                "extra data size of entry 0 of the snapshot table is #, not 0 to 1024",
                "(truncated: the snapshot table is cut off in|extra data size of) entry 1 .*",
                "there is no snapshot .*");
        row("snapshot id and name", "there is no snapshot .*");
        row(
                "extension (.*) length",
                "header extension ~ has # bytes, but only ~ .*",
                ".* extension has # bytes, not 24",
                ".*backing format.*");
        row(
                "extension 0xe2792aca .*",
                "does not say which format its backing file base.raw has; .*",
                "backing format \".*\" of base.raw is neither .*",
                "the backing format's name .*");
        row("nb_bitmaps", "nb_bitmaps is #, not 1 to 65535", ".*\\bnb_bitmaps is #.*");
        row("bitmaps reserved", "the bitmaps extension's reserved field is #, not 0 to 0");
        row(
                "bitmap_directory_(offset|size)",
                "(.*\\b)?bitmap_directory_(offset|size)(, which)? is #.*",
                "a write of .* would hit the .*bitmap directory",
                GIVEN_AWAY);
        row(
                "bitmap (name length|extra size)",
                "the bitmap directory is cut off in entry 0 .*length #.*",
                "the bitmap directory is cut off in entry 0 .*extra data size #.*",
                "the bitmap directory is cut off in entry 1 .*",
                "bitmap_directory_size is ~, but the entries .*");
        row("bitmap .*", "bitmap \"tracking\" is inconsistent or cannot be loaded: .*");
    }

    private HostileRefusals() {}

    /** Fails unless a refusal names what is damaged, in one line. */
    static void requireNamed(Damage damage, IOException refusal) {
        requireClear(refusal);
        if (isOfTheRequest(refusal)) {
            return;
        }
        String message = String.valueOf(refusal.getMessage());
        assertThat(message).as("%s: says which image", damage).matches("\\S*image\\.qcow2: .*");
        String said = message.substring(message.indexOf(": ") + 2);
        assertThat(said).as("%s: names it", damage).matches(named(damage));
    }

    /** One line, and one of the two kinds of errors. */
    static void requireClear(IOException e) {
        assertThat(e).isInstanceOfAny(Qcow2Exception.class, HostIoException.class);
        assertThat(e.getMessage()).matches("\\P{Cntrl}{1,2000}");
    }

    /** What has nothing to do with the image: writing was not asked for, or there is no such byte. */
    private static boolean isOfTheRequest(IOException e) {
        return e instanceof Qcow2Exception refused
                && (refused.kind() == Kind.READ_ONLY
                        || (refused.kind() == Kind.OUT_OF_RANGE
                                && String.valueOf(refused.getMessage()).contains("do not lie within")));
    }

    private static Pattern named(Damage damage) {
        String field = damage.field().name().replaceAll("\\d+$", "~");
        List<String> says = new ArrayList<>();
        ROWS.forEach((name, sentences) -> {
            if (name.matcher(field).matches()
                    || name.matcher(damage.field().name()).matches()) {
                says.addAll(sentences);
            }
        });
        long value = damage.value();
        long named = value & L2Entry.OFFSET_MASK;
        return Pattern.compile(String.join("|", says)
                .replace("~", "(?:0x[0-9a-f]+|\\d+)")
                .replace("#", "(?:(?:0x)?" + Long.toHexString(value) + "|" + Long.toUnsignedString(value) + ")")
                .replace("@", "0x" + Long.toHexString(named)));
    }
}
