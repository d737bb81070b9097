package io.qfuse.qcow2;

import io.qfuse.qcow2.check.RequestedRepair.Extent;
import org.jspecify.annotations.Nullable;

/**
 * How to check an image.
 *
 * @param repair what is to be repaired, or null to change nothing
 * @param forceShare whether to check an image that another program is writing, which may look damaged for that; only
 *     without a repair
 */
public record CheckOptions(@Nullable Extent repair, boolean forceShare) {

    /** A check that changes nothing, of an image that nobody writes meanwhile. */
    public static final CheckOptions DEFAULT = new CheckOptions(null, false);

    /** A repair that shares the image with a writer is a mistake of the caller. */
    public CheckOptions {
        if (repair != null && forceShare) {
            throw new IllegalArgumentException("no repair of an image that others may write");
        }
    }

    /** A check that repairs what it finds. */
    public static CheckOptions repairing(Extent extent) {
        return new CheckOptions(extent, false);
    }
}
