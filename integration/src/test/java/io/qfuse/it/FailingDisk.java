package io.qfuse.it;

import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.Extent;
import io.qfuse.qcow2.io.HostIoException;
import java.io.IOException;
import java.util.function.Predicate;

/** A disk some calls of which fail, without having done anything. Safe for use by many threads. */
final class FailingDisk implements Disk {

    /** What is asked of a disk. */
    enum Verb {
        READ,
        WRITE,
        ZERO,
        ALLOCATE,
        SEEK,
        FLUSH
    }

    /**
     * A call.
     *
     * @param verb what is asked
     * @param offset the first byte
     * @param length how many bytes
     */
    record Call(Verb verb, long offset, long length) {

        boolean touches(long from, long bytes) {
            return offset < from + bytes && from < offset + length;
        }
    }

    private record Fault(int errno, Predicate<Call> calls) {}

    private static final Fault NONE = new Fault(0, call -> false);

    private final Disk disk;
    private volatile Fault fault = NONE;

    /** Takes over a disk: closing this closes it. */
    FailingDisk(Disk disk) {
        this.disk = disk;
    }

    /** From now on those calls fail. */
    void fail(int errno, Predicate<Call> calls) {
        fault = new Fault(errno, calls);
    }

    /** From now on no call fails. */
    void heal() {
        fault = NONE;
    }

    private void before(Verb verb, long offset, long length) throws IOException {
        Fault now = fault;
        if (now.calls.test(new Call(verb, offset, length))) {
            throw new HostIoException("the host", verb.toString(), now.errno, "injected");
        }
    }

    @Override
    public void read(long offset, long address, int length) throws IOException {
        before(Verb.READ, offset, length);
        disk.read(offset, address, length);
    }

    @Override
    public void write(long offset, long address, int length) throws IOException {
        before(Verb.WRITE, offset, length);
        disk.write(offset, address, length);
    }

    @Override
    public void writeZeroes(long offset, long length, boolean unmap) throws IOException {
        before(Verb.ZERO, offset, length);
        disk.writeZeroes(offset, length, unmap);
    }

    @Override
    public void allocate(long offset, long length) throws IOException {
        before(Verb.ALLOCATE, offset, length);
        disk.allocate(offset, length);
    }

    @Override
    public Extent nextExtent(long offset) throws IOException {
        before(Verb.SEEK, offset, 1);
        return disk.nextExtent(offset);
    }

    @Override
    public void flush() throws IOException {
        before(Verb.FLUSH, 0, 0);
        disk.flush();
    }

    @Override
    public void resize(long newSize) throws IOException {
        disk.resize(newSize);
    }

    @Override
    public long size() {
        return disk.size();
    }

    @Override
    public boolean writable() {
        return disk.writable();
    }

    @Override
    public long allocatedBytes() throws IOException {
        return disk.allocatedBytes();
    }

    @Override
    public void close() throws IOException {
        disk.close();
    }
}
