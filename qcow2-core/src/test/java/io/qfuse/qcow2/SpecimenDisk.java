package io.qfuse.qcow2;

import io.qfuse.qcow2.check.ImageRepair;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import io.qfuse.qcow2.layer.RawLayer;
import io.qfuse.qcow2.testing.MemoryHostFile;
import io.qfuse.qcow2.testing.Specimen;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** Opens specimens in memory as the door opens files, whatever was done to them. */
final class SpecimenDisk {

    private static final int SMALL_CACHE = 256 << 10;

    private SpecimenDisk() {}

    /**
     * Opens an image.
     *
     * @param image the image, which is closed with the disk
     * @param writable whether for writing
     */
    static Disk open(HostFile image, boolean writable) throws IOException {
        return open(image, new MemoryHostFile("data.raw"), writable);
    }

    /**
     * Opens an image.
     *
     * @param image the image, which is closed with the disk
     * @param external its external data file, if it says that it has one
     * @param writable whether for writing
     */
    static Disk open(HostFile image, HostFile external, boolean writable) throws IOException {
        Header found = HeaderReader.read(image);
        Features.requireSupported(found, writable, image.path());
        Header header = writable ? ImageRepair.ifDirty(image, found) : found;
        HostFile data = header.hasExternalData() ? external : null;
        Layer below = header.backingFile() == null ? null : new RawLayer(Specimen.base());
        try (Passphrase secret = Passphrase.of(TestDisk.PASSPHRASE.getBytes(StandardCharsets.US_ASCII))) {
            OpenOptions options = OpenOptions.readWrite()
                    .withWritable(writable)
                    .withCacheBytes(SMALL_CACHE)
                    .withPassphrase(secret);
            ImageFiles files = new ImageFiles(image, data);
            return new Qcow2Image(files, header, below, options, Qcow2Image.ChainCaches.of(options));
        }
    }
}
