package io.qfuse.fuse;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.qfuse.qcow2.io.ThreadAffinity;
import java.util.List;
import org.junit.jupiter.api.AfterEach;

/** The conformance of the io_uring transport, where the host has it. */
final class IoUringMountTest extends MountConformance {

    /** Asked before a thread is kept on one of them: then there is one. */
    private static final int PROCESSORS = Runtime.getRuntime().availableProcessors();

    @Override
    Transport transport() {
        return Transport.IO_URING;
    }

    /** The requests of one processor are served one after the other, so it is two. */
    @Override
    List<String> apart() {
        assumeTrue(PROCESSORS > 1, "needs two processors");
        ThreadAffinity.keepOn(1);
        return List.of("taskset", "-c", "0");
    }

    @AfterEach
    void run_anywhere() {
        ThreadAffinity.release();
    }
}
