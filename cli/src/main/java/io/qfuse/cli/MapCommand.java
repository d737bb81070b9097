package io.qfuse.cli;

import io.qfuse.cli.InfoCommand.Output;
import io.qfuse.qcow2.DiskMap;
import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.Qcow2Exception;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code qfuse map}: where the bytes of a disk are, as a list or a picture. */
@Command(
        name = "map",
        description = "Tells where the bytes of a disk are, through the whole backing chain. No passphrase is needed.")
final class MapCommand implements Callable<Integer> {

    @Parameters(paramLabel = "FILE", description = "The image, qcow2 or raw.")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Path file;

    @Option(
            names = "--output",
            paramLabel = "human|json",
            description = "Lines for people (the default), or a list as qemu-img map --output=json prints it.")
    private Output output = Output.HUMAN;

    @Option(
            names = {"-s", "--start-offset"},
            paramLabel = "OFFSET",
            converter = ByteSize.class,
            description = "Begin at this offset of the disk.")
    private long start;

    @Option(
            names = {"-l", "--max-length"},
            paramLabel = "LENGTH",
            converter = ByteSize.class,
            description = "Tell of no more than so many bytes.")
    private long length = Long.MAX_VALUE;

    @Option(names = "-f", paramLabel = "qcow2|raw", description = "The format; found out where it is not given.")
    private @Nullable ImageFormat format;

    @Option(
            names = {"-U", "--force-share"},
            description = "Read an image that another program is writing.")
    private boolean forceShare;

    @Option(names = "--svg", paramLabel = "FILE", description = "Draw the disk into FILE, with its partitions.")
    private @Nullable Path svg;

    @Option(
            names = "--html",
            paramLabel = "FILE",
            description = "Write a page into FILE: the drawing, the layers, the partitions.")
    private @Nullable Path html;

    @Option(
            names = "--picture",
            description = "Draw the disk here instead of a list: the more of a place is stored, the darker it is. In"
                    + " colours on a terminal, unless NO_COLOR is set.")
    private boolean picture;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        try (DiskMap map = open()) {
            if (start > map.size()) {
                throw new ParameterException(
                        spec.commandLine(),
                        "--start-offset=" + start + " lies behind the disk of " + map.size() + " bytes");
            }
            draw(map);
            if (!picture && svg == null && html == null) {
                list(map);
            }
        }
        return 0;
    }

    private DiskMap open() throws IOException {
        OpenOptions how = OpenOptions.readOnly().withForceShare(forceShare);
        if (format == ImageFormat.RAW) {
            return Images.mapRaw(file, how);
        }
        try {
            return Images.map(file, how);
        } catch (Qcow2Exception e) {
            if (format == null && e.kind() == Qcow2Exception.Kind.NOT_QCOW2) {
                return Images.mapRaw(file, how);
            }
            throw e;
        }
    }

    private void list(DiskMap map) throws IOException {
        long end = length > map.size() - start ? map.size() : start + length;
        // Straight to the descriptor: a PrintStream would go on after the reader of a pipe has left.
        OutputStream out = new FileOutputStream(FileDescriptor.out);
        if (output == Output.JSON) {
            MapJson json = new MapJson(out);
            map.walk(start, end, json);
            json.finish();
        } else {
            MapTable table = new MapTable(map, out);
            map.walk(start, end, table);
            table.finish();
        }
    }

    private void draw(DiskMap map) throws IOException {
        if (svg == null && html == null && !picture) {
            return;
        }
        Partitions partitions = Partitions.of(file, map.isQcow2());
        if (svg != null || html != null) {
            MapGrid grid = MapGrid.of(map, MapSvg.COLUMNS * MapSvg.ROWS);
            String drawing = MapSvg.of(grid, map, partitions);
            if (svg != null) {
                Files.writeString(svg, drawing);
            }
            if (html != null) {
                Files.writeString(html, MapHtml.of(drawing, grid, map, partitions));
            }
        }
        if (picture) {
            MapGrid grid = MapGrid.of(map, MapPicture.COLUMNS * MapPicture.ROWS);
            PrintWriter out = spec.commandLine().getOut();
            out.print(MapPicture.of(grid, map, partitions, Ansi.AUTO.enabled()));
            out.flush();
        }
    }
}
