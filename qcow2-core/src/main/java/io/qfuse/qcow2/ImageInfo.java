package io.qfuse.qcow2;

import io.qfuse.qcow2.bitmap.BitmapDirectory;
import io.qfuse.qcow2.crypto.LuksHeader;
import io.qfuse.qcow2.format.BitmapRecord;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.SnapshotRecord;
import io.qfuse.qcow2.info.Facts;
import io.qfuse.qcow2.info.InfoText;
import io.qfuse.qcow2.info.Json;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeHostFile;
import io.qfuse.qcow2.snapshot.SnapshotTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an image says of itself. Nothing that it refers to is opened: a foreign image may name any file.
 *
 * @param path the image as the user named it
 * @param header its header
 * @param allocatedBytes what it takes on the host
 * @param snapshots its internal snapshots
 * @param bitmaps its persistent bitmaps, as far as they are up to date
 * @param luks its LUKS header, or null where it has none
 */
public record ImageInfo(
        Path path,
        Header header,
        long allocatedBytes,
        List<SnapshotRecord> snapshots,
        List<BitmapRecord> bitmaps,
        @Nullable LuksHeader luks) {

    /** The lists are copied. */
    public ImageInfo {
        snapshots = List.copyOf(snapshots);
        bitmaps = List.copyOf(bitmaps);
    }

    /**
     * Reads what an image says of itself. It may be in use, damaged, or of a kind that cannot be served.
     *
     * @throws Qcow2Exception where it is no qcow2 image, breaks the format, or has features that nothing is known of
     * @throws IOException where the host fails
     */
    public static ImageInfo read(Path path) throws IOException {
        try (NativeHostFile file = NativeHostFile.open(path, false)) {
            Header header = HeaderReader.read(file);
            Features.requireKnown(header, path);
            return new ImageInfo(
                    path,
                    header,
                    file.allocatedBytes(),
                    SnapshotTable.read(file, header).snapshots(),
                    BitmapDirectory.read(file, header)
                            .map(BitmapDirectory::bitmaps)
                            .orElse(List.of()),
                    header.cryptMethod() == Header.CRYPT_LUKS ? LuksHeader.read(file, header) : null);
        }
    }

    /** The facts for people: lines as {@code qemu-img info} prints them, ended by a newline. */
    public String text() {
        return InfoText.of(this);
    }

    /** The facts for programs: an object with the names of {@code qemu-img info --output=json}. */
    public String json() {
        return Json.of(Facts.of(this)) + "\n";
    }
}
