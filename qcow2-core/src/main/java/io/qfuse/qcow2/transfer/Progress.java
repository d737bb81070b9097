package io.qfuse.qcow2.transfer;

/** Is told how far a long work has come. Called by many threads at once; what it does delays them. */
public interface Progress {

    /** Does not want to know. */
    Progress NONE = new Progress() {
        @Override
        public void begin(long total) {}

        @Override
        public void advance(long bytes) {}
    };

    /** The work begins, once; {@code total} bytes of the disk are to be dealt with. */
    void begin(long total);

    /** So many bytes more are dealt with, copied or skipped. */
    void advance(long bytes);
}
