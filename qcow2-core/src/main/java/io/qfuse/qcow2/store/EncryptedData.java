package io.qfuse.qcow2.store;

import io.qfuse.qcow2.crypto.GuestCipher;
import io.qfuse.qcow2.io.BufferPool;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.parallel.Helpers;
import java.io.IOException;

/**
 * Guest bytes encrypted by the sector over whatever stores them (format notes, section 10). A sector's number, which goes into its
 * encryption, is that of its place on the host (LUKS) or for the guest (the legacy encryption).
 *
 * <p>A write of less than a sector reads, changes and writes the whole of it; the hold that {@link #needsHold} asks for keeps
 * others from writing there meanwhile.
 *
 * <p>Nothing holds a read back while others write whole sectors there. Of plain data it then gives each byte old or new; here a block
 * of the cipher of which the host's file gives a bit of both comes out as noise. Neither is told what it reads by any disk, nor by
 * QEMU, until the write is done, and every read would have to be exclusive to prevent it. What is read to be written again
 * (copies, parts of sectors) is held exclusively.
 *
 * <p>A large read is done in parts, by whoever is idle too. Thread-safe.
 */
public final class EncryptedData implements GuestData {

    private static final int SECTOR = GuestCipher.SECTOR;

    /** What is read or written at once: it is still in the processor's cache when it is decrypted, or stored. */
    private static final int PIECE = 128 << 10;

    private final GuestData stored;
    private final GuestCipher cipher;
    private final boolean byGuest;

    /**
     * Encrypted data; both are closed with them.
     *
     * @param stored where the encrypted bytes are
     * @param byGuest whether sectors are numbered by where the guest sees them
     */
    public EncryptedData(GuestData stored, GuestCipher cipher, boolean byGuest) {
        this.stored = stored;
        this.cipher = cipher;
        this.byGuest = byGuest;
    }

    @Override
    public void read(long host, long guest, long address, int length) throws IOException {
        if (length <= PIECE) {
            readPieces(host, guest, address, length);
            return;
        }
        // A sector in which two parts meet is decrypted for each of them.
        Helpers.shared().share((length + PIECE - 1) / PIECE, part -> {
            int at = part * PIECE;
            readPieces(host + at, guest + at, address + at, Math.min(PIECE, length - at));
        });
    }

    private void readPieces(long host, long guest, long address, int length) throws IOException {
        for (int at = 0; at < length; ) {
            int piece = piece(guest + at, length - at);
            if (piece % SECTOR == 0) {
                readSectors(host + at, guest + at, address + at, piece);
            } else {
                int into = into(guest + at);
                try (NativeBuffer sector = BufferPool.shared().take(SECTOR)) {
                    readSectors(host + at - into, guest + at - into, sector.address(), SECTOR);
                    NativeBuffer.copy(sector.address() + into, address + at, piece);
                }
            }
            at += piece;
        }
    }

    @Override
    public void write(long host, long guest, long address, int length) throws IOException {
        try (NativeBuffer buffer = BufferPool.shared().take(Math.max(SECTOR, Math.min(PIECE, length)))) {
            for (int at = 0; at < length; ) {
                int piece = piece(guest + at, length - at);
                if (piece % SECTOR == 0) {
                    writeSectors(host + at, guest + at, address + at, piece, buffer);
                } else {
                    int into = into(guest + at);
                    readSectors(host + at - into, guest + at - into, buffer.address(), SECTOR);
                    NativeBuffer.copy(address + at, buffer.address() + into, piece);
                    writeSectors(host + at - into, guest + at - into, buffer.address(), SECTOR, buffer);
                }
                at += piece;
            }
        }
    }

    private void readSectors(long host, long guest, long address, int length) throws IOException {
        stored.read(host, guest, address, length);
        cipher.decrypt(address, length, number(host, guest));
    }

    private void writeSectors(long host, long guest, long address, int length, NativeBuffer buffer) throws IOException {
        cipher.encrypt(address, buffer.address(), length, number(host, guest));
        stored.write(host, guest, buffer.address(), length);
    }

    private long number(long host, long guest) {
        return (byGuest ? guest : host) / SECTOR;
    }

    /** How many bytes from {@code guest} on to do at once: whole sectors where they are, else the part of one. */
    private static int piece(long guest, int length) {
        int into = into(guest);
        if (into == 0 && length >= SECTOR) {
            return Math.min(PIECE, length & -SECTOR);
        }
        return Math.min(SECTOR - into, length);
    }

    /** Where in its sector a byte is: the same for the guest and on the host, since clusters are whole sectors. */
    private static int into(long guest) {
        return (int) (guest & (SECTOR - 1));
    }

    @Override
    public void allocate(long host, long length) throws IOException {
        stored.allocate(host, length);
    }

    @Override
    public void sync() throws IOException {
        stored.sync();
    }

    /** What was never written decrypts to noise. */
    @Override
    public boolean holesAreZeroes() {
        return false;
    }

    @Override
    public boolean needsHold(long guest, int length) {
        return into(guest) != 0 || into(guest + length) != 0 || stored.needsHold(guest, length);
    }

    @Override
    public void close() throws IOException {
        cipher.close();
        stored.close();
    }
}
