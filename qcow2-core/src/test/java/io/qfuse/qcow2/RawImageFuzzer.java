package io.qfuse.qcow2;

import io.qfuse.qcow2.TestDisk.KeptOpen;
import io.qfuse.qcow2.bitmap.BitmapDirectory;
import io.qfuse.qcow2.check.ImageChecker;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.HeaderCodec;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.snapshot.SnapshotTable;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.util.List;

/** A fuzz target: the bytes are the file. It is parsed, described, checked and opened. */
public final class RawImageFuzzer {

    private RawImageFuzzer() {}

    /** The fuzzer's entry. */
    public static void fuzzerTestOneInput(byte[] bytes) {
        MemoryHostFile file = new MemoryHostFile("image.qcow2");
        file.write(0, bytes, 0, bytes.length);
        attempt(() -> describe(file));
        attempt(() -> ImageChecker.check(file));
        attempt(() -> {
            SpecimenDisk.open(new KeptOpen(file), true).close();
        });
    }

    private static void describe(MemoryHostFile file) throws IOException {
        Header header = HeaderReader.read(file);
        if (HeaderCodec.fits(header)) {
            byte[] again = HeaderCodec.encode(header, file.path());
            Header decoded = HeaderCodec.decode(again, file.path(), Math.max(file.size(), again.length));
            if (decoded.size() != header.size() || decoded.l1Offset() != header.l1Offset()) {
                throw new AssertionError(decoded + " was " + header);
            }
        }
        ImageInfo info = new ImageInfo(
                file.path(),
                header,
                0,
                SnapshotTable.read(file, header).snapshots(),
                BitmapDirectory.read(file, header).map(BitmapDirectory::bitmaps).orElse(List.of()),
                null);
        if (info.text().isEmpty() || info.json().isEmpty()) {
            throw new AssertionError("nothing to say of an image");
        }
    }

    private interface Operation {
        void run() throws IOException;
    }

    private static void attempt(Operation operation) {
        try {
            operation.run();
        } catch (IOException e) {
            HostileRefusals.requireClear(e);
        }
    }
}
