package io.qfuse.qcow2.check;

import io.qfuse.qcow2.check.Finding.Severity;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** What a check has found. All findings are counted; the first thousand are kept. For one thread at a time. */
public final class CheckReport {

    private static final int KEPT = 1000;

    private final List<Finding> findings = new ArrayList<>();
    private long unnamed;
    private long leaks;
    private long corruptions;
    private ClusterCounts clusters = new ClusterCounts();
    private long end;

    CheckReport() {}

    void counted(ClusterCounts counts) {
        clusters = counts;
    }

    void endsAt(long offset) {
        end = offset;
    }

    void add(Finding finding, long times) {
        if (finding.severity() == Severity.LEAK) {
            leaks += times;
        } else {
            corruptions += times;
        }
        if (findings.size() < KEPT) {
            findings.add(finding);
        } else {
            unnamed++;
        }
    }

    /** The findings in the order they were met, as many as are kept. */
    public List<Finding> findings() {
        return Collections.unmodifiableList(findings);
    }

    /** How many findings more there were than are kept. */
    public long unnamed() {
        return unnamed;
    }

    /** Clusters that are counted more often than they are used. */
    public long leaks() {
        return leaks;
    }

    /** Everything worse than a leak. */
    public long corruptions() {
        return corruptions;
    }

    /** Clusters that the active tables name, for data or in reserve. */
    public long allocatedClusters() {
        return clusters.allocated();
    }

    /** Those that do not lie right behind the one before them, and all compressed ones. */
    public long fragmentedClusters() {
        return clusters.fragmented();
    }

    /** Those that are stored compressed. */
    public long compressedClusters() {
        return clusters.compressed();
    }

    /** Where the last cluster of the file ends that is counted or referred to, in bytes. */
    public long end() {
        return end;
    }

    /** Whether nothing at all is wrong. */
    public boolean isClean() {
        return leaks == 0 && corruptions == 0;
    }

    /** Whether nothing worse than leaks is wrong. */
    public boolean isSafe() {
        return corruptions == 0;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(corruptions + " corruptions, " + leaks + " leaks");
        findings.forEach(finding -> text.append("\n  ").append(finding.sentence()));
        return text.toString();
    }
}
