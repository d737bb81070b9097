package io.qfuse.qcow2.check;

import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;

/**
 * Checks an image without changing it (format notes, section 21): what refers to which host cluster, whether the stored
 * refcounts say the same, and whether every entry on the way makes sense. The image must not change meanwhile.
 */
public final class ImageChecker {

    private ImageChecker() {}

    /**
     * Checks an image.
     *
     * @return what was found
     * @throws io.qfuse.qcow2.Qcow2Exception where the header is such that there is nothing to follow, or counting takes
     *     too much memory
     * @throws IOException where the host fails
     */
    public static CheckReport check(HostFile file) throws IOException {
        Header header = HeaderReader.read(file);
        CheckReport report = new CheckReport();
        RefcountTally tally = References.count(file, header, report);
        StoredRefcounts refcounts = new StoredRefcounts(file, header);
        refcounts.countReferences(tally, report);
        boolean flagsRight = refcounts.compare(tally, report);
        // Counting has seen all flags; where one may be wrong the tables are read again to tell which.
        if (!flagsRight || !report.isSafe() || header.hasExternalData()) {
            new CopiedCheck(file, header, refcounts::get, report).check();
        }
        if (header.hasExternalData()) {
            new ExternalDataCheck(header, report).check(file, header);
        }
        return report;
    }
}
