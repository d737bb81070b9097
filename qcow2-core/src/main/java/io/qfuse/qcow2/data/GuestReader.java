package io.qfuse.qcow2.data;

import io.qfuse.qcow2.Extent;
import io.qfuse.qcow2.Layer;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.map.Mapping;
import io.qfuse.qcow2.map.Mapping.Kind;
import io.qfuse.qcow2.parallel.Helpers;
import java.io.IOException;

/** Reads guest bytes and tells what they are (format notes, section 15). Thread-safe. */
public final class GuestReader {

    private final ImageParts image;

    /** A reader of one image. */
    public GuestReader(ImageParts image) {
        this.image = image;
    }

    /** Reads a range that lies within the disk. */
    public void read(long guest, long address, int length) throws IOException {
        if (length == 0) {
            return;
        }
        image.lockShared(guest, length);
        try {
            readHeld(guest, address, length);
        } finally {
            image.unlockShared(guest, length);
        }
    }

    /** Reads a range whose clusters the caller holds. */
    void readHeld(long guest, long address, int length) throws IOException {
        long stored = image.map().stored(guest, length, false);
        if (stored >= 0) {
            image.data().read(stored, guest, address, length);
            return;
        }
        long at = guest;
        long end = guest + length;
        CompressedRead compressed = null;
        while (at < end) {
            Mapping run = image.map().lookup(at, end - at);
            long to = address + (at - guest);
            if (run.kind() == Kind.COMPRESSED) {
                compressed = compressed == null ? new CompressedRead(image.compressed()) : compressed;
                compressed.add(run.host(), image.geometry().offsetInCluster(at), to, (int) run.length());
            } else {
                readRun(run, at, to);
            }
            at += run.length();
        }
        if (compressed != null) {
            compressed.run(Helpers.shared());
        }
    }

    private void readRun(Mapping run, long guest, long address) throws IOException {
        int length = (int) run.length();
        switch (run.kind()) {
            case DATA -> image.data().read(run.host(), guest, address, length);
            case ZERO -> NativeBuffer.zero(address, length);
            case UNALLOCATED -> readBelow(guest, address, length);
            case COMPRESSED -> throw new AssertionError("read together with others");
        }
    }

    private void readBelow(long guest, long address, int length) throws IOException {
        Layer below = image.backing();
        int there = below == null ? 0 : (int) Math.max(0, Math.min(length, below.size() - guest));
        if (below != null && there > 0) {
            below.read(guest, address, there);
        }
        if (there < length) {
            NativeBuffer.zero(address + there, length - there);
        }
    }

    /** The run of one kind from {@code guest} on, at most {@code most} bytes. */
    public Extent nextExtent(long guest, long most) throws IOException {
        image.lockShared(guest, 1);
        try {
            Mapping run = image.map().lookup(guest, most);
            return switch (run.kind()) {
                case DATA, COMPRESSED -> new Extent(Extent.Kind.DATA, guest, run.length());
                case ZERO -> new Extent(Extent.Kind.ZERO, guest, run.length());
                case UNALLOCATED -> extentBelow(guest, run.length());
            };
        } finally {
            image.unlockShared(guest, 1);
        }
    }

    private Extent extentBelow(long guest, long length) throws IOException {
        Layer below = image.backing();
        if (below == null || guest >= below.size()) {
            return new Extent(Extent.Kind.HOLE, guest, length);
        }
        Extent extent = below.nextExtent(guest);
        return new Extent(extent.kind(), guest, Math.min(length, extent.length()));
    }

    /** How many bytes from {@code guest} on read as zeroes and are stored nowhere; 0 where the first one is stored. */
    long emptyRun(long guest, long most) throws IOException {
        image.lockShared(guest, 1);
        try {
            Mapping run = image.map().lookup(guest, most);
            return run.kind() == Kind.UNALLOCATED && !run.hasHost() ? holesBelow(guest, run.length()) : 0;
        } finally {
            image.unlockShared(guest, 1);
        }
    }

    /** Whether all of an unallocated or zero run, whose clusters the caller holds, is known to read as zeroes. */
    boolean isKnownZero(Mapping run, long guest) throws IOException {
        if (run.kind() != Kind.UNALLOCATED) {
            return run.kind() == Kind.ZERO;
        }
        return holesBelow(guest, run.length()) == run.length();
    }

    /** How many bytes from {@code guest} on the layers below have nothing for, at most {@code most}. */
    private long holesBelow(long guest, long most) throws IOException {
        long end = guest + most;
        long at = guest;
        while (at < end) {
            Extent extent = extentBelow(at, end - at);
            if (!extent.isHole()) {
                break;
            }
            at = extent.end();
        }
        return at - guest;
    }
}
