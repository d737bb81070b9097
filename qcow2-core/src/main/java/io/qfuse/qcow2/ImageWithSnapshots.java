package io.qfuse.qcow2;

import java.io.IOException;
import java.util.List;

/**
 * An open image and all its internal snapshots, over one descriptor, one lock, one cache and one backing chain.
 *
 * @param disk the present state, for whose closing the caller answers
 * @param snapshots those that the image had when it was opened, in the order of its table; they end with {@code disk}
 */
public record ImageWithSnapshots(Disk disk, List<Snapshot> snapshots) {

    /** The list is copied. */
    public ImageWithSnapshots {
        snapshots = List.copyOf(snapshots);
    }

    static ImageWithSnapshots of(Qcow2Image image) throws IOException {
        try {
            return new ImageWithSnapshots(image, image.snapshots());
        } catch (IOException | RuntimeException e) {
            try {
                image.close();
            } catch (IOException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
    }
}
