package io.qfuse.qcow2.scan;

import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;
import java.nio.file.Path;

/** A raw file: what its file system says of holes (format notes, section 11). */
public final class RawRuns extends Runs {

    private final HostFile file;
    private final long size;

    /** The runs of a file, which is closed with them. */
    public RawRuns(HostFile file) throws IOException {
        this.file = file;
        this.size = (file.size() + Geometry.SECTOR - 1) & -Geometry.SECTOR;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public Path file() {
        return file.path();
    }

    @Override
    void goTo(long to) {
        // The file system is asked run by run.
    }

    @Override
    void find(long at) throws IOException {
        long data = file.seekData(at);
        if (data < 0 || data >= size) {
            set(at, size, RunVisitor.ZERO | RunVisitor.PRESENT, at);
        } else if (data > at) {
            set(at, data, RunVisitor.ZERO | RunVisitor.PRESENT, at);
        } else {
            long hole = file.seekHole(at);
            // What is missing of the last sector belongs to the data before it.
            long to = hole >= file.size() ? size : Math.max(at + 1, hole);
            set(at, to, RunVisitor.DATA | RunVisitor.PRESENT, at);
        }
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
