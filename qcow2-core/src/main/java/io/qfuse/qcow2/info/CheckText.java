package io.qfuse.qcow2.info;

import io.qfuse.qcow2.ImageCheck;
import io.qfuse.qcow2.Sizes;
import io.qfuse.qcow2.check.CheckReport;
import io.qfuse.qcow2.check.Finding;
import io.qfuse.qcow2.check.Finding.Severity;
import io.qfuse.qcow2.io.OneLine;
import java.util.Locale;

/** Writes what a check has found as lines. */
public final class CheckText {

    private final ImageCheck check;
    private final StringBuilder text = new StringBuilder();

    private CheckText(ImageCheck check) {
        this.check = check;
    }

    /** The findings and a summary, each line ended by a newline. */
    public static String of(ImageCheck check) {
        CheckText out = new CheckText(check);
        CheckReport found = check.found();
        out.findings(found);
        if (check.repaired().leaks() + check.repaired().corruptions() > 0) {
            out.line("repaired: " + count(check.repaired().corruptions(), "corruption") + ", "
                    + count(check.repaired().leaks(), "leaked cluster") + "; checked again:");
            if (!check.left().isClean()) {
                out.findings(check.left());
            }
        }
        out.verdict();
        out.statistics();
        return out.text.toString();
    }

    private void findings(CheckReport report) {
        for (Finding finding : report.findings()) {
            String kind = finding.severity() == Severity.LEAK ? "leak: " : "corruption: ";
            String remedy = finding.remedy()
                    .map(what -> "; -r " + (finding.severity() == Severity.LEAK ? "leaks " : "all ") + what)
                    .orElse("; no repair");
            line(kind + finding.sentence() + remedy);
        }
        long more = report.unnamed();
        if (more > 0) {
            line("... and " + more + " more");
        }
    }

    private void verdict() {
        CheckReport left = check.left();
        if (left.isClean()) {
            line("No errors were found on the image.");
        }
        if (left.corruptions() > 0) {
            line(count(left.corruptions(), "error")
                    + " in the image: data may be corrupted, or further writes may corrupt them.");
        }
        if (left.leaks() > 0) {
            line(count(left.leaks(), "leaked cluster") + ": space is lost, and no data are in danger.");
        }
    }

    private void statistics() {
        CheckReport left = check.left();
        long allocated = left.allocatedClusters();
        if (check.totalClusters() > 0 && allocated > 0) {
            line(allocated + "/" + check.totalClusters() + " = " + percent(allocated, check.totalClusters())
                    + " allocated, " + percent(left.fragmentedClusters(), allocated) + " fragmented, "
                    + percent(left.compressedClusters(), allocated) + " compressed clusters");
        }
        line("Image end offset: " + left.end() + " (" + Sizes.format(left.end()) + ")");
    }

    private static String percent(long part, long whole) {
        return String.format(Locale.ROOT, "%.2f%%", 100.0 * part / whole);
    }

    private static String count(long number, String what) {
        return number + " " + what + (number == 1 ? "" : "s");
    }

    private void line(String line) {
        text.append(OneLine.of(line)).append('\n');
    }
}
