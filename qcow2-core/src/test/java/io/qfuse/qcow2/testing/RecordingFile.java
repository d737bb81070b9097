package io.qfuse.qcow2.testing;

import io.qfuse.qcow2.io.HostFile;
import java.util.ArrayList;
import java.util.List;

/** A host file that remembers the calls that changed it or made changes durable, in their order. */
public class RecordingFile extends ForwardingFile {

    /**
     * One call.
     *
     * @param name the method
     * @param offset where
     * @param length how many bytes
     */
    public record Call(String name, long offset, long length) {

        /** Whether it makes durable what was before. */
        public boolean isSync() {
            return name.equals("sync");
        }

        /** Whether it touches a byte of a range. */
        public boolean touches(long first, long bytes) {
            return !isSync() && offset < first + bytes && first < offset + length;
        }
    }

    private final List<Call> calls = new ArrayList<>(); // guarded by itself

    /** Records what goes to another file. */
    public RecordingFile(HostFile to) {
        super(to);
    }

    @Override
    protected void before(String call, long offset, long length) {
        synchronized (calls) {
            calls.add(new Call(call, offset, length));
        }
    }

    /** The calls so far. */
    public List<Call> calls() {
        synchronized (calls) {
            return List.copyOf(calls);
        }
    }

    /** The calls since this was called last. */
    public List<Call> take() {
        synchronized (calls) {
            List<Call> taken = List.copyOf(calls);
            calls.clear();
            return taken;
        }
    }

    /** Whether something was changed since the last barrier. */
    public boolean isUnsynced() {
        synchronized (calls) {
            return !calls.isEmpty() && !calls.get(calls.size() - 1).isSync();
        }
    }
}
