package io.qfuse.qcow2;

import io.qfuse.qcow2.check.CheckReport;
import io.qfuse.qcow2.check.ImageChecker;
import io.qfuse.qcow2.check.RequestedRepair;
import io.qfuse.qcow2.check.RequestedRepair.Repaired;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.info.CheckText;
import io.qfuse.qcow2.info.Json;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.ImageLock;
import io.qfuse.qcow2.io.NativeHostFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a check of an image has found, and what its repair has done (format notes, section 21). Nothing but the image itself is
 * opened: neither a backing file nor an external data file, and no passphrase is needed.
 *
 * @param path the image as the user named it
 * @param totalClusters the guest clusters of the disk
 * @param found what was wrong
 * @param repaired what of it was repaired
 * @param left what is wrong now: what was found, where nothing was repaired
 */
public record ImageCheck(Path path, long totalClusters, CheckReport found, Repaired repaired, CheckReport left) {

    /**
     * Checks an image, and repairs it where that is asked for.
     *
     * @throws Qcow2Exception of kind LOCKED where somebody uses the image; where it is no qcow2 image, or its header is such that
     *     there is nothing to follow; where counting takes too much memory
     * @throws IOException where the host fails; a repair that it cuts off leaves the image no worse
     */
    static ImageCheck run(Path path, CheckOptions options) throws IOException {
        boolean writable = options.repair() != null;
        try (NativeHostFile file = NativeHostFile.open(path, writable)) {
            ImageLock.acquire(file, mode(options));
            Header header = HeaderReader.read(file);
            Features.requireKnown(header, path);
            CheckReport found = ImageChecker.check(file);
            Repaired repaired = Repaired.NOTHING;
            CheckReport left = found;
            if (options.repair() != null) {
                repaired = RequestedRepair.repair(file, options.repair(), found);
                left = found.isClean() ? found : ImageChecker.check(file);
            }
            long clusters = header.geometry().clustersFor(header.size());
            return new ImageCheck(path, clusters, found, repaired, left);
        }
    }

    private static ImageLock.Mode mode(CheckOptions options) {
        if (options.repair() != null) {
            return ImageLock.Mode.WRITE;
        }
        return options.forceShare() ? ImageLock.Mode.SHARED_READ : ImageLock.Mode.READ;
    }

    /** Lines for people: the findings, at most a thousand of them, and a summary. */
    public String text() {
        return CheckText.of(this);
    }

    /** An object with the names of {@code qemu-img check --output=json}; like there, numbers that are 0 are left out. */
    public String json() {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("image-end-offset", left.end());
        facts.put("total-clusters", totalClusters);
        facts.put("check-errors", 0);
        facts.put("corruptions", left.corruptions());
        facts.put("leaks", left.leaks());
        facts.put("corruptions-fixed", repaired.corruptions());
        facts.put("leaks-fixed", repaired.leaks());
        facts.put("allocated-clusters", left.allocatedClusters());
        facts.put("fragmented-clusters", left.fragmentedClusters());
        facts.put("compressed-clusters", left.compressedClusters());
        facts.entrySet()
                .removeIf(fact ->
                        !fact.getKey().equals("check-errors") && Long.valueOf(0).equals(fact.getValue()));
        facts.put("filename", path.toString());
        facts.put("format", "qcow2");
        return Json.of(facts) + "\n";
    }
}
