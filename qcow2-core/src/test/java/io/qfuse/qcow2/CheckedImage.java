package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.check.CheckReport;
import io.qfuse.qcow2.check.ImageChecker;
import io.qfuse.qcow2.io.HostFile;
import java.io.IOException;

/** What the consistency check says of an image that a test holds. */
final class CheckedImage {

    private CheckedImage() {}

    static void requireClean(HostFile file) throws IOException {
        requireClean(file, "image");
    }

    static void requireClean(HostFile file, String what) throws IOException {
        CheckReport report = ImageChecker.check(file);
        assertThat(report.isClean()).as("%s: %s", what, report).isTrue();
    }

    static void requireLeaksAtWorst(HostFile file, String what) throws IOException {
        CheckReport report = ImageChecker.check(file);
        assertThat(report.isSafe()).as("%s: %s", what, report).isTrue();
    }
}
