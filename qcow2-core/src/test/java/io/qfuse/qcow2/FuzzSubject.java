package io.qfuse.qcow2;

import io.qfuse.qcow2.HostileFields.Field;
import io.qfuse.qcow2.TestDisk.KeptOpen;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.ImageKind.Data;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.Specimen;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An image that the fuzzer damages: a specimen, or one of those that no specimen is of, encrypted or with its data in another file.
 *
 * @param image the image; copied before use
 * @param data its external data file, empty where it has none
 * @param fields what it has
 * @param rounds where it says how much hashing its passphrase takes, as 32-bit words
 */
record FuzzSubject(MemoryHostFile image, MemoryHostFile data, List<Field> fields, List<Long> rounds) {

    private static final int SIZE = 256 << 10;

    /** Where a LUKS header has the rounds of its digest, those of its first key slot, and how far slots are apart. */
    private static final int DIGEST_ROUNDS = 164;

    private static final int SLOT_ROUNDS = 212;
    private static final int SLOT_BYTES = 48;
    private static final int SLOTS = 8;

    /** As little hashing as a test can do with; an image may ask for seconds of it. */
    private static final int MOST_ROUNDS = 1000;

    /** The lists are copied. */
    FuzzSubject {
        fields = List.copyOf(fields);
        rounds = List.copyOf(rounds);
    }

    /** All; new ones come last, since inputs name them by number. */
    static List<FuzzSubject> all() throws IOException {
        List<FuzzSubject> all = new ArrayList<>();
        for (Specimen specimen : Specimen.all()) {
            all.add(of(specimen.file(), new MemoryHostFile("data.raw")));
        }
        ImageKind inside = new ImageKind(3, 9, 4, false);
        all.add(used(new EncryptedDiskTest.Kind(inside, "cbc-essiv:sha256", 16).create(SIZE), null));
        all.add(used(new EncryptedDiskTest.Kind(new ImageKind(3, 12, 4, false), "xts-plain64", 32).create(SIZE), null));
        all.add(used(new EncryptedDiskTest.Kind(inside, "", 16).create(SIZE), null));
        all.add(external(new ImageKind(3, 9, 4, false, false, Data.EXTERNAL)));
        all.add(external(new ImageKind(3, 14, 4, false, true, Data.EXTERNAL)));
        all.add(external(new ImageKind(3, 9, 4, false, false, Data.EXTERNAL_RAW)));
        return all;
    }

    private static FuzzSubject external(ImageKind kind) throws IOException {
        return used(kind.create(SIZE), kind.createData(SIZE));
    }

    private static FuzzSubject of(MemoryHostFile image, MemoryHostFile data) throws IOException {
        List<Long> rounds = new ArrayList<>();
        HeaderReader.read(image).extension(HeaderExtension.CRYPTO).ifPresent(place -> {
            long start = ByteBuffer.wrap(place).getLong();
            rounds.add(start + DIGEST_ROUNDS);
            for (int slot = 0; slot < SLOTS; slot++) {
                rounds.add(start + SLOT_ROUNDS + (long) slot * SLOT_BYTES);
            }
        });
        return new FuzzSubject(image, data, HostileFields.of(image), rounds);
    }

    /** With data and zeroes at the beginning and in the middle, as the specimens have. */
    private static FuzzSubject used(MemoryHostFile image, @Nullable MemoryHostFile external) throws IOException {
        MemoryHostFile data = external == null ? new MemoryHostFile("data.raw") : external;
        try (Disk disk = SpecimenDisk.open(new KeptOpen(image), new KeptOpen(data), true);
                NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
            NativeBuffer.zero(buffer.address(), SIZE);
            disk.write(0, buffer.address(), 40 << 10);
            disk.writeZeroes(8 << 10, 4 << 10, false);
            disk.writeZeroes(16 << 10, 4 << 10, true);
            disk.write(100 << 10, buffer.address(), 3000);
        }
        return of(image, data);
    }

    /** A fresh pair of files. */
    FuzzSubject copy() {
        return new FuzzSubject(image.copy(), data.copy(), fields, rounds);
    }

    /** Bounds how long the image lets its opener hash, whatever its header says by now. */
    void boundHashing() {
        for (long at : rounds) {
            int asked = ByteBuffer.wrap(image.bytes(at, 4)).getInt();
            byte[] fewer = ByteBuffer.allocate(4)
                    .putInt(Integer.remainderUnsigned(asked, MOST_ROUNDS))
                    .array();
            image.write(at, fewer, 0, fewer.length);
        }
    }
}
