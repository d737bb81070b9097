package io.qfuse.qcow2;

import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.io.NativeHostFile;
import io.qfuse.qcow2.scan.ChainScan;
import io.qfuse.qcow2.scan.Qcow2Runs;
import io.qfuse.qcow2.scan.RawRuns;
import io.qfuse.qcow2.scan.RunVisitor;
import io.qfuse.qcow2.scan.Runs;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where the bytes of a disk are, through its whole backing chain: tables are walked, and no guest data read. So no passphrase is
 * needed. For one thread at a time.
 */
public final class DiskMap implements AutoCloseable {

    /** L2 tables read ahead take so much in the upper layers, and less in those of a long chain. */
    private static final int WINDOW = 2 << 20;

    private static final int DEEP_WINDOW = 128 << 10;
    private static final int DEEP = 8;

    private final List<Runs> layers;
    private final boolean qcow2;

    private DiskMap(List<Runs> layers, boolean qcow2) {
        this.layers = layers;
        this.qcow2 = qcow2;
    }

    static DiskMap image(ImageFiles files, Header header, @Nullable DiskMap below) throws IOException {
        List<Runs> layers = new ArrayList<>();
        int window = below != null && below.layers() >= DEEP ? DEEP_WINDOW : WINDOW;
        layers.add(new Qcow2Runs(files.image(), files.data(), header, window));
        if (below != null) {
            layers.addAll(below.layers);
        }
        return new DiskMap(layers, true);
    }

    static DiskMap raw(NativeHostFile file) throws IOException {
        return new DiskMap(List.of(new RawRuns(file)), false);
    }

    /** The virtual size in bytes, a multiple of 512. */
    public long size() {
        return layers.get(0).size();
    }

    /** Whether the first layer is a qcow2 image, and no raw file. */
    public boolean isQcow2() {
        return qcow2;
    }

    /** How many layers there are, the image itself included. */
    public int layers() {
        return layers.size();
    }

    /** The file that holds the data of a layer, 0 being the image itself. */
    public Path file(int layer) {
        return layers.get(layer).file();
    }

    /**
     * Visits the runs of a range in ascending order.
     *
     * @param from the first byte
     * @param to the byte behind the last, from {@code from} to the size
     * @throws Qcow2Exception of kind CORRUPT at an entry that makes no sense; what was visited before is right
     * @throws IOException where the host or the visitor fails
     */
    public void walk(long from, long to, RunVisitor visitor) throws IOException {
        if (from < 0 || to < from || to > size()) {
            throw new IllegalArgumentException("from " + from + " to " + to + " of " + size());
        }
        ChainScan.walk(layers, from, to, visitor);
    }

    /** Closes the files of all layers. */
    @Override
    public void close() throws IOException {
        IOException failure = null;
        for (Runs layer : layers) {
            try {
                layer.close();
            } catch (IOException e) {
                failure = e;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
