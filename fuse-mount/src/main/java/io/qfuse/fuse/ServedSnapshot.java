package io.qfuse.fuse;

import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.Snapshot;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * One internal snapshot and how it appears.
 *
 * @param name the file's name inside the directory of snapshots, a legal one
 * @param disk what is served, read-only; it ends with the image
 * @param modifiedMillis when the snapshot was taken, in milliseconds since 1970
 */
record ServedSnapshot(String name, Disk disk, long modifiedMillis) {

    /** Snapshots under names made by {@link SnapshotNames}. */
    static List<ServedSnapshot> of(Collection<Snapshot> snapshots) {
        SnapshotNames names = new SnapshotNames();
        List<ServedSnapshot> served = new ArrayList<>(snapshots.size());
        for (Snapshot snapshot : snapshots) {
            served.add(new ServedSnapshot(
                    names.next(snapshot.id(), snapshot.name()),
                    snapshot.disk(),
                    snapshot.date().toEpochMilli()));
        }
        return served;
    }
}
