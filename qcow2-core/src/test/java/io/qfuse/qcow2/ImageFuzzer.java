package io.qfuse.qcow2;

import io.qfuse.qcow2.HostileFields.Field;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.TestDisk.KeptOpen;
import io.qfuse.qcow2.check.CheckReport;
import io.qfuse.qcow2.check.ImageChecker;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.io.HostIoException;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.ForwardingFile;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A fuzz target: bytes say which image, how it is damaged, and what is done with it. So nearly every input opens and goes
 * deep. Called by the fuzzer and, with what it has found before, by {@link FuzzCorpusTest}.
 *
 * <ol>
 *   <li>Nothing but a Qcow2Exception or a HostIoException in one line comes out.
 *   <li>An image that is opened read-only is not changed.
 *   <li>An image that the check calls clean is never called corrupt, reads as a plain array would, and is clean after closing.
 * </ol>
 */
public final class ImageFuzzer {

    private static final int MOST_BYTES = 2 << 20;
    private static final int MOST_OPERATIONS = 24;
    private static final int PATCHES = 4;
    private static final NativeBuffer BUFFER = NativeBuffer.allocate(MOST_BYTES);
    private static final List<FuzzSubject> SUBJECTS = subjects();

    private final Bytes input;
    private final FuzzSubject subject;
    private final MemoryHostFile image;
    private final MemoryHostFile data;

    /** What the disk has to read as; null where the image was not sound to begin with. */
    private byte @Nullable [] model;

    private ImageFuzzer(byte[] bytes) {
        this.input = new Bytes(bytes);
        this.subject = SUBJECTS.get(input.u8() % SUBJECTS.size()).copy();
        this.image = subject.image();
        this.data = subject.data();
    }

    /** Makes the images before the first input, whose time is bounded. */
    public static void fuzzerInitialize() {
        require(!SUBJECTS.isEmpty(), "no images");
    }

    /** The fuzzer's entry. */
    public static void fuzzerTestOneInput(byte[] bytes) throws IOException {
        ImageFuzzer fuzzer = new ImageFuzzer(bytes);
        fuzzer.damage();
        fuzzer.look();
        fuzzer.use();
    }

    private static List<FuzzSubject> subjects() {
        try {
            return FuzzSubject.all();
        } catch (IOException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private void damage() {
        List<Field> fields = subject.fields();
        for (int i = input.u8() % PATCHES; i > 0; i--) {
            int place = input.u16();
            Field field = place < 0x8000
                    ? fields.get(place % fields.size())
                    : new Field("", 8L * (place - 0x8000) % image.size(), 8, 0, 0, false);
            long old = field.value(image);
            int kind = input.u8();
            int small = input.u8();
            field.set(
                    image,
                    switch (kind % 6) {
                        case 0 -> old ^ 1L << small;
                        case 1 -> old + 512L * (byte) small;
                        case 2 -> fields.get(small % fields.size()).value(image);
                        case 3 -> (long) small << (kind & 0x38);
                        case 4 -> (long) input.u16() << 9 | (kind & 0x80L) << 56;
                        default ->
                            (long) input.u16() << 48
                                    | (long) input.u16() << 32
                                    | (long) input.u16() << 16
                                    | input.u16();
                    });
        }
        subject.boundHashing();
    }

    /** Reads whatever can be read, and takes what a sound image holds for the model. */
    private void look() throws IOException {
        boolean sound = false;
        try {
            // Counts behind the end are nobody's business until the file grows.
            MemoryHostFile longer = image.copy();
            longer.truncate(longer.size() + 2 * MOST_BYTES);
            sound = ImageChecker.check(longer).isClean();
        } catch (IOException e) {
            requireClear(e);
        }
        try (Disk disk = openToRead()) {
            byte[] bytes = new byte[(int) Math.min(disk.size(), MOST_BYTES)];
            for (int at = 0; at < bytes.length; at += 1024) {
                int length = Math.min(1024, bytes.length - at);
                try {
                    disk.read(at, BUFFER.address(), length);
                    NativeBuffer.get(BUFFER.address(), bytes, at, length);
                } catch (IOException e) {
                    requireClear(e);
                    sound = false;
                }
            }
            walk(disk);
            disk.flush();
            model = sound && disk.size() <= MOST_BYTES ? bytes : null;
        } catch (IOException e) {
            requireClear(e);
        }
    }

    private static void walk(Disk disk) throws IOException {
        for (long at = 0; at < disk.size(); ) {
            Extent extent = disk.nextExtent(at);
            require(extent.length() > 0 && extent.offset() == at, "an extent that leads nowhere: " + extent);
            at = extent.end();
        }
    }

    private void use() throws IOException {
        try (Disk disk = SpecimenDisk.open(new KeptOpen(image), new KeptOpen(data), true)) {
            for (int i = 0; i < MOST_OPERATIONS && input.more(); i++) {
                try {
                    operate(disk);
                } catch (IOException e) {
                    requireClear(e);
                    requirePossible(e);
                    model = null; // it may have done a part of it
                }
            }
            compare(disk);
        } catch (IOException e) {
            requireClear(e);
            return;
        }
        if (model != null) {
            requireSound();
            try (Disk disk = openToRead()) {
                compare(disk);
            }
        }
    }

    private void operate(Disk disk) throws IOException {
        int verb = input.u8();
        long size = Math.min(disk.size(), MOST_BYTES);
        long offset = (input.u16() * size) >>> 16;
        if ((verb & 0x40) != 0) {
            offset &= -512;
        }
        int root = input.u8();
        int length = (int) Math.min(size - offset, (long) root * root);
        switch (verb % 8) {
            case 0, 1 -> {
                byte[] bytes = new byte[length];
                Arrays.fill(bytes, (byte) verb);
                NativeBuffer.put(BUFFER.address(), bytes, 0, length);
                disk.write(offset, BUFFER.address(), length);
                fill(offset, length, verb);
            }
            case 2, 3 -> {
                disk.writeZeroes(offset, length, verb % 8 == 2);
                fill(offset, length, 0);
            }
            case 4 -> disk.allocate(offset, length);
            case 5 -> {
                int newSize = 512 * (input.u16() % (MOST_BYTES / 512));
                disk.resize(newSize);
                model = model == null ? null : Arrays.copyOf(model, newSize);
            }
            case 6 -> disk.flush();
            default -> {
                walk(disk);
                compare(disk);
            }
        }
    }

    private void fill(long offset, int length, int value) {
        if (model != null) {
            Arrays.fill(model, (int) offset, (int) offset + length, (byte) value);
        }
    }

    private void compare(Disk disk) throws IOException {
        byte[] expected = model;
        if (expected != null) {
            require(disk.size() == expected.length, "a disk of " + disk.size() + " bytes, not " + expected.length);
            byte[] bytes = TestDisk.read(disk, 0, expected.length, BUFFER);
            int at = Arrays.mismatch(bytes, expected);
            require(at < 0, "wrong byte at " + at);
        }
    }

    private void requireSound() throws IOException {
        CheckReport report = ImageChecker.check(image);
        // Bitmaps that could not be kept up to date are given up, with their clusters.
        boolean bitmaps =
                HeaderReader.read(image).extension(HeaderExtension.BITMAPS).isPresent();
        require(bitmaps ? report.isSafe() : report.isClean(), "a sound image was damaged: " + report);
    }

    /** A sound image may only be asked too much. */
    private void requirePossible(IOException e) {
        if (model != null) {
            boolean possible = e instanceof Qcow2Exception refused
                    && List.of(Kind.UNSUPPORTED, Kind.NO_SPACE, Kind.OUT_OF_RANGE)
                            .contains(refused.kind());
            require(possible, "a sound image cannot be used: " + e);
        }
    }

    private static void requireClear(IOException e) {
        boolean clear = e instanceof Qcow2Exception || e instanceof HostIoException;
        if (!clear || !String.valueOf(e.getMessage()).matches("\\P{Cntrl}{1,2000}")) {
            throw new AssertionError("no clear error: " + e, e);
        }
    }

    private static void require(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    private Disk openToRead() throws IOException {
        return SpecimenDisk.open(new Untouched(image), new Untouched(data), false);
    }

    /** A file that nobody may change. */
    private static final class Untouched extends ForwardingFile {

        Untouched(HostFile file) {
            super(file);
        }

        @Override
        protected void before(String call, long offset, long length) {
            throw new AssertionError("opened read-only, and changed: " + call + " of " + length + " at " + offset);
        }

        @Override
        public void close() {}
    }

    /** The input as numbers; behind its end are zeroes. */
    private static final class Bytes {

        private final byte[] bytes;
        private int at;

        Bytes(byte[] bytes) {
            this.bytes = bytes;
        }

        boolean more() {
            return at < bytes.length;
        }

        int u8() {
            return at < bytes.length ? bytes[at++] & 0xff : 0;
        }

        int u16() {
            return u8() << 8 | u8();
        }
    }
}
