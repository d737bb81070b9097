package io.qfuse.qcow2.guard;

import java.io.IOException;

/** What has to be durable before the first guest byte changes. */
@FunctionalInterface
public interface FirstChange {

    /**
     * Makes it durable. Called by one thread at a time, with everyone who wants to change something waiting; after a
     * failure, which refuses the change, it is called again for the next one.
     */
    void prepare() throws IOException;
}
