package io.qfuse.qcow2.testing;

import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;

/** A host file of which some calls fail, after they did nothing, half or all of what they were to do. */
public final class FaultyFile extends ForwardingFile {

    private final HostFile to;
    private final Faults faults;

    /** A file before {@code to} that fails as {@code faults} says. */
    public FaultyFile(HostFile to, Faults faults) {
        super(to);
        this.to = to;
        this.faults = faults;
    }

    private interface Part {
        void run(long length) throws IOException;
    }

    private void call(String name, long length, Part part) throws IOException {
        if (!faults.hit()) {
            part.run(length);
            return;
        }
        long done = faults.done(length);
        if (done > 0) {
            part.run(done);
        }
        throw faults.failure(path(), name);
    }

    private interface Answer {
        long get() throws IOException;
    }

    private long ask(String name, Answer answer) throws IOException {
        if (faults.hit()) {
            throw faults.failure(path(), name);
        }
        return answer.get();
    }

    @Override
    public long size() throws IOException {
        return ask("size", to::size);
    }

    @Override
    public long allocatedBytes() throws IOException {
        return ask("statx", to::allocatedBytes);
    }

    @Override
    public long seekData(long offset) throws IOException {
        return ask("seekData", () -> to.seekData(offset));
    }

    @Override
    public long seekHole(long offset) throws IOException {
        return ask("seekHole", () -> to.seekHole(offset));
    }

    @Override
    public void read(long offset, long address, int length) throws IOException {
        call("read", length, part -> to.read(offset, address, (int) part));
    }

    @Override
    public void read(long offset, byte[] into) throws IOException {
        call("read", 1, all -> to.read(offset, into));
    }

    @Override
    public void write(long offset, long address, int length) throws IOException {
        call("write", length, part -> to.write(offset, address, (int) part));
    }

    @Override
    public void write(long offset, byte[] from, int start, int length) throws IOException {
        call("write", length, part -> to.write(offset, from, start, (int) part));
    }

    @Override
    public void writeZeroes(long offset, long length) throws IOException {
        call("writeZeroes", length, part -> to.writeZeroes(offset, part));
    }

    @Override
    public void punchHole(long offset, long length) throws IOException {
        call("punchHole", length, part -> to.punchHole(offset, part));
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        call("allocate", length, part -> to.allocate(offset, part));
    }

    @Override
    public void truncate(long size) throws IOException {
        call("truncate", 1, all -> to.truncate(size));
    }

    @Override
    public void sync() throws IOException {
        call("sync", 1, all -> to.sync());
    }
}
