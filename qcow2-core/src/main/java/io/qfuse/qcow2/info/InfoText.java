package io.qfuse.qcow2.info;

import io.qfuse.qcow2.ImageInfo;
import io.qfuse.qcow2.Sizes;
import io.qfuse.qcow2.format.Features;
import io.qfuse.qcow2.format.Header;
import io.qfuse.qcow2.format.SnapshotRecord;
import io.qfuse.qcow2.io.OneLine;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Map;

/** Writes the facts about an image as lines, in the manner of {@code qemu-img info}. */
public final class InfoText {

    private static final String SNAPSHOT_ROW = "%-10s%-17s%8s%20s%13s%11s";
    private static final DateTimeFormatter DATE = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss");

    private final StringBuilder text = new StringBuilder();

    private InfoText() {}

    /** The facts, each line ended by a newline. */
    public static String of(ImageInfo info) {
        InfoText out = new InfoText();
        out.general(info);
        if (!info.snapshots().isEmpty()) {
            out.line("Snapshot list:");
            out.line(String.format(SNAPSHOT_ROW, "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", "ICOUNT"));
            info.snapshots().forEach(snapshot -> out.line(row(snapshot)));
        }
        out.line("Format specific information:");
        out.tree(Facts.specific(info), "    ");
        return out.text.toString();
    }

    private void general(ImageInfo info) {
        Header header = info.header();
        long size = Facts.servedSize(header);
        line("image: " + info.path());
        line("file format: qcow2");
        line("virtual size: " + Sizes.format(size) + " (" + size + " bytes)");
        line("disk size: " + Sizes.format(info.allocatedBytes()));
        if (header.cryptMethod() != 0) {
            line("encrypted: yes");
        }
        line("cluster_size: " + header.geometry().clusterSize());
        if ((header.incompatible() & Features.DIRTY) != 0) {
            line("cleanly shut down: no");
        }
        String backing = header.backingFile();
        if (backing != null) {
            String full = Facts.fullBackingName(info);
            line("backing file: " + backing + (full.equals(backing) ? "" : " (actual path: " + full + ")"));
            if (!header.backingFormat().isEmpty()) {
                line("backing file format: " + header.backingFormat());
            }
        }
    }

    private void tree(Map<?, ?> facts, String indent) {
        facts.forEach((name, value) -> value(name.toString().replace('-', ' '), value, indent));
    }

    private void value(String name, Object value, String indent) {
        if (value instanceof Map<?, ?> map) {
            line(indent + name + ":");
            tree(map, indent + "    ");
        } else if (value instanceof List<?> list) {
            line(indent + name + ":");
            for (int i = 0; i < list.size(); i++) {
                value("[" + i + "]", list.get(i), indent + "    ");
            }
        } else {
            line(indent + name + ": " + value);
        }
    }

    private static String row(SnapshotRecord snapshot) {
        Duration clock = Duration.ofNanos(snapshot.vmClockNanos());
        return String.format(
                SNAPSHOT_ROW,
                snapshot.id(),
                snapshot.name(),
                Sizes.format(Math.max(snapshot.vmStateSize(), 0)),
                DATE.format(Instant.ofEpochSecond(snapshot.dateSeconds()).atZone(ZoneId.systemDefault())),
                String.format(
                        "%02d:%02d:%02d.%03d",
                        clock.toHours(), clock.toMinutesPart(), clock.toSecondsPart(), clock.toMillisPart()),
                snapshot.icount() == -1 ? "" : snapshot.icount());
    }

    private void line(String line) {
        text.append(OneLine.of(line)).append('\n');
    }
}
