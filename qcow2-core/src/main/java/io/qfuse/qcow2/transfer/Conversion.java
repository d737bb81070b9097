package io.qfuse.qcow2.transfer;

import io.qfuse.qcow2.Layer;
import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.Qcow2Exception.Kind;
import io.qfuse.qcow2.transfer.Plan.Action;
import io.qfuse.qcow2.transfer.Plan.Rule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Copies a disk from one file to another, through all that the source stands on.
 *
 * <pre>{@code
 * Conversion.run(
 *         Source.of(Path.of("disk.qcow2")),
 *         Target.of(Path.of("disk.raw"), ImageFormat.RAW),
 *         CopyOptions.defaults(),
 *         Progress.NONE);
 * }</pre>
 *
 * What is a hole in the source is never read. A new file that names a backing file holds only what the source itself holds: the
 * backing file is taken to read as that of the source does.
 */
public final class Conversion {

    /** Long enough that calls cost nothing, short enough to stay in a processor's cache between reading and writing. */
    private static final int PIECE = 512 << 10;

    private Conversion() {}

    /**
     * Converts a disk. On return the target is durable; a new one has its name then and not before.
     *
     * @throws Qcow2Exception if the source cannot be served, the target cannot be made, is there already, is in use or too small
     * @throws io.qfuse.qcow2.io.HostIoException if a call to the host fails. Of a new target nothing is left then; one that is
     *     written in place has got any part of it
     */
    public static void run(Source source, Target target, CopyOptions how, Progress progress) throws IOException {
        requireDifferent(source.path(), target.path());
        try (Layer whole = source.whole()) {
            if (target.hasBacking() && source.hasBacking()) {
                try (Layer alone = source.alone()) {
                    convert(whole, alone, target, how, progress);
                }
            } else {
                convert(whole, whole, target, how, progress);
            }
        }
    }

    /** Copies what {@code map} says of the disk, and where that is not all of it, leaves the rest to the target's backing file. */
    private static void convert(Layer whole, Layer map, Target target, CopyOptions how, Progress progress)
            throws IOException {
        progress.begin(whole.size());
        try (OpenTarget opened = OpenTarget.of(target, whole.size())) {
            Sink sink = opened.sink();
            boolean sparse = how.sparse() > 0 && (opened.readsAsZeroes() || sink.tellsZeroes());
            int unit = Math.max(how.sparse(), sink.unit());
            int most = Math.max(PIECE, unit);
            Action zeroes = !sparse ? Action.COPY : opened.readsAsZeroes() ? Action.SKIP : Action.ZERO;
            Action holes = map == whole ? zeroes : Action.SKIP;
            Plan plan = new Plan(map, actions(zeroes, holes), unit, most, progress);
            new Copier(whole, plan, sink, progress, most, sparse ? unit : 0).run(how.workersFor(target));
            opened.finish();
        }
    }

    private static Rule actions(Action zeroes, Action holes) {
        return kind -> switch (kind) {
            case DATA -> Action.COPY;
            case ZERO -> zeroes;
            case HOLE -> holes;
        };
    }

    private static void requireDifferent(Path source, Path target) throws IOException {
        if (Files.exists(source) && Files.exists(target) && Files.isSameFile(source, target)) {
            throw new Qcow2Exception(Kind.UNSUPPORTED, target, "the source cannot be its own target");
        }
    }
}
