package io.qfuse.qcow2.snapshot;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.Limits;
import io.qfuse.qcow2.format.SnapshotRecord;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * The snapshot table as found.
 *
 * @param snapshots its entries in their order
 * @param length its bytes
 */
public record SnapshotTable(List<SnapshotRecord> snapshots, long length) {

    /** The list is copied. */
    public SnapshotTable {
        snapshots = List.copyOf(snapshots);
    }

    /**
     * Reads the table.
     *
     * @throws Qcow2Exception where it is cut off, longer than any program writes, or an entry makes no sense
     */
    public static SnapshotTable read(HostFile file, Header header) throws IOException {
        List<SnapshotRecord> snapshots = new ArrayList<>();
        return new SnapshotTable(snapshots, read(file, header, snapshots::add));
    }

    /**
     * Reads the table and hands out each entry when it has been read, so that the whole need not be held.
     *
     * @return the table's bytes
     * @throws Qcow2Exception as {@link #read(HostFile, Header)} does, in the middle of handing out
     */
    public static long read(HostFile file, Header header, Consumer<SnapshotRecord> snapshots) throws IOException {
        Path path = file.path();
        byte[] fixed = new byte[SnapshotRecord.FIXED_LENGTH];
        long length = 0;
        long end = file.size();
        for (int i = 0; i < header.snapshotCount(); i++) {
            long at = header.snapshotsOffset() + length;
            file.read(at, fixed);
            byte[] entry = new byte[SnapshotRecord.length(fixed, i, path)];
            length += entry.length;
            // The last entry's padding may be missing.
            if (at + entry.length - 7 > end) {
                throw malformed(
                        path,
                        "truncated: the snapshot table is cut off in entry " + i + " at " + hex(at) + " of "
                                + entry.length + " bytes (" + SnapshotRecord.lengths(fixed) + "), the file ends at "
                                + hex(end));
            }
            if (length > Limits.MAX_SNAPSHOT_TABLE_BYTES) {
                throw malformed(
                        path,
                        "the snapshot table has more than " + Limits.MAX_SNAPSHOT_TABLE_BYTES + " bytes at entry " + i);
            }
            file.read(at, entry);
            snapshots.accept(SnapshotRecord.decode(entry, path));
        }
        return length;
    }

    /**
     * The snapshot with an id or, where none has it, a name.
     *
     * @throws Qcow2Exception where there is none, naming those that are there
     */
    public SnapshotRecord find(String idOrName, Path path) throws Qcow2Exception {
        Optional<SnapshotRecord> found = snapshots.stream()
                .filter(snapshot -> snapshot.id().equals(idOrName))
                .findFirst()
                .or(() -> snapshots.stream()
                        .filter(snapshot -> snapshot.name().equals(idOrName))
                        .findFirst());
        return found.orElseThrow(() -> new Qcow2Exception(
                Kind.OUT_OF_RANGE, path, "there is no snapshot '" + idOrName + "'; there are: " + names()));
    }

    private String names() {
        return snapshots.isEmpty()
                ? "none"
                : snapshots.stream()
                        .limit(20)
                        .map(snapshot -> snapshot.id() + " (" + snapshot.name() + ")")
                        .collect(Collectors.joining(", "));
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }

    private static Qcow2Exception malformed(Path path, String why) {
        return new Qcow2Exception(Kind.MALFORMED, path, why);
    }
}
