package io.qfuse.qcow2.data;

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

    /**
     * Writes {@code length} bytes for {@code guest}, and around them old bytes up to whole units.
     *
     * @param host the host offset of {@code guest}
     * @param unit what is filled whole, a cluster or a subcluster, in bytes
     * @param fresh whether the file has never held a byte there
     */
    void fill(long host, long guest, long address, int length, int unit, boolean fresh) throws IOException {
        int head = (int) guest & (unit - 1);
        int tail = (int) -(guest + length) & (unit - 1);
        boolean empty = fresh && image.data().holesAreZeroes();
        boolean skipHead = head == 0 || (empty && isZero(guest - head, head));
        boolean skipTail = tail == 0 || (empty && isZero(guest + length, tail));
        if (skipHead && skipTail) {
            image.data().write(host, guest, address, length);
        } else if (length <= MOST_COPIED) {
            writeTogether(host - head, guest - head, head, address, length, tail);
        } else {
            image.data().write(host, guest, address, length);
            copy(host - head, guest - head, head);
            copy(host + length, guest + length, tail);
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

    private void writeTogether(long host, long guest, int head, long address, int length, int tail) throws IOException {
        int whole = head + length + tail;
        try (NativeBuffer buffer = image.buffers().take(whole)) {
            long to = buffer.address();
            readOld(guest, to, head);
            NativeBuffer.copy(address, to + head, length);
            readOld(guest + head + length, to + head + length, tail);
            image.data().write(host, guest, to, whole);
        }
    }

    private void copy(long host, long guest, int length) throws IOException {
        if (length > 0) {
            try (NativeBuffer buffer = image.buffers().take(length)) {
                readOld(guest, buffer.address(), length);
                image.data().write(host, guest, buffer.address(), length);
            }
        }
    }

    private void readOld(long guest, long address, int length) throws IOException {
        if (length > 0) {
            reader.readHeld(guest, address, length);
        }
    }
}
