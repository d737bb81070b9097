package io.qfuse.qcow2.data;

import java.io.IOException;

/** Bounds what waits in memory to become durable. */
@FunctionalInterface
public interface Pressure {

    /** Runs a checkpoint if too much waits for one; the caller holds no lock of the image. */
    void relieve() throws IOException;
}
