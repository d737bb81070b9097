package io.qfuse.qcow2.data;

import io.qfuse.qcow2.alloc.HostRun;
import io.qfuse.qcow2.format.Geometry;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.map.Mapping;
import java.io.IOException;

/**
 * Fills host clusters that are about to be linked: the new bytes, and around them what the guest saw before (format
 * notes, section 16, point 3). Where the old bytes are zeroes and the host clusters were never written, only the new bytes
 * are.
 *
 * <p>The caller holds the guest clusters exclusively, and the map still says what it said before.
 */
final class CopyOnWrite {

    /** Around more new bytes than this, head and tail are written on their own instead of copying the new bytes. */
    private static final int MOST_COPIED = 256 << 10;

    private final ImageParts image;
    private final GuestReader reader;

    CopyOnWrite(ImageParts image, GuestReader reader) {
        this.image = image;
        this.reader = reader;
    }

    /** Writes {@code length} bytes for {@code guest} into {@code host}, whose first cluster holds {@code guest}. */
    void fill(HostRun host, long guest, long address, int length) throws IOException {
        Geometry geometry = image.geometry();
        int head = geometry.offsetInCluster(guest);
        long whole = geometry.clusterOffset(host.clusters());
        long tail = whole - head - length;
        boolean skipHead = head == 0 || (host.fresh() && isZero(guest - head, head));
        boolean skipTail = tail == 0 || (host.fresh() && isZero(guest + length, tail));
        if (skipHead && skipTail) {
            image.file().write(host.offset() + head, address, length);
        } else if (length <= MOST_COPIED) {
            writeTogether(host, guest, address, length);
        } else {
            image.file().write(host.offset() + head, address, length);
            copy(host.offset(), guest - head, head);
            copy(host.offset() + head + length, guest + length, (int) tail);
        }
    }

    private boolean isZero(long guest, long length) throws IOException {
        long at = guest;
        while (at < guest + length) {
            Mapping run = image.map().lookup(at, guest + length - at);
            if (!reader.isKnownZero(run, at)) {
                return false;
            }
            at += run.length();
        }
        return true;
    }

    private void writeTogether(HostRun host, long guest, long address, int length) throws IOException {
        int head = image.geometry().offsetInCluster(guest);
        int whole = Math.toIntExact(image.geometry().clusterOffset(host.clusters()));
        try (NativeBuffer buffer = image.buffers().take(whole)) {
            long to = buffer.address();
            readOld(guest - head, to, head);
            NativeBuffer.copy(address, to + head, length);
            readOld(guest + length, to + head + length, whole - head - length);
            image.file().write(host.offset(), to, whole);
        }
    }

    private void copy(long host, long guest, int length) throws IOException {
        if (length > 0) {
            try (NativeBuffer buffer = image.buffers().take(length)) {
                readOld(guest, buffer.address(), length);
                image.file().write(host, buffer.address(), length);
            }
        }
    }

    private void readOld(long guest, long address, int length) throws IOException {
        if (length > 0) {
            reader.readHeld(guest, address, length);
        }
    }
}
