package io.qfuse.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.Images;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code qfuse demo}: shows the way in, on an image that it makes and removes. */
@Command(
        name = "demo",
        description =
                "Makes a small image in a temporary directory, mounts it, writes a partition table to the raw file,"
                        + " shows it, unmounts, and removes everything again.")
final class DemoCommand implements Callable<Integer> {

    private static final long SIZE = 64L << 20;
    private static final int SECTOR = 512;
    private static final int PARTITION_START = 2048;

    /** What a shell gives for a command that SIGINT has ended. */
    private static final int INTERRUPTED = 130;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    /** What is to be removed, in that order; guarded by this. */
    private final Deque<Path> made = new ArrayDeque<>();

    /** The server, once it was started; guarded by this. */
    private @Nullable Process server;

    /** Whether nothing more may be made; guarded by this. */
    private boolean over;

    @Override
    public Integer call() throws IOException, InterruptedException {
        Path fuse = Path.of("/dev/fuse");
        if (!Files.exists(fuse)) {
            throw new Failure(
                    fuse, "not there; as root, 'modprobe fuse' brings it, and a container has to be given it");
        }
        Runtime.getRuntime().addShutdownHook(new Thread(this::removeAll, "demo-end"));
        try {
            show();
        } catch (IOException e) {
            if (isOver()) {
                return INTERRUPTED;
            }
            throw e;
        } finally {
            removeAll();
        }
        say("", "Everything is removed again. Your turn, with images of your own:");
        say("    qfuse mount IMAGE DIRECTORY", "    qfuse unmount DIRECTORY", "    qfuse help");
        return 0;
    }

    /** Has the server unmount, where it still runs, and removes the files; a signal may want it in the middle of everything. */
    private synchronized void removeAll() {
        over = true;
        try {
            if (server != null) {
                server.destroy();
                server.waitFor();
            }
            for (Path file : made) {
                Files.deleteIfExists(file);
            }
        } catch (IOException | InterruptedException e) {
            Complaint.print(spec.commandLine().getErr(), e, false);
        }
        made.clear();
    }

    private synchronized boolean isOver() {
        return over;
    }

    private synchronized void requireNotOver() throws IOException {
        if (over) {
            throw new Failure("demo", "interrupted");
        }
    }

    private synchronized Path makeMountPoint() throws IOException {
        requireNotOver();
        Path directory = Files.createTempDirectory("qfuse-demo").toRealPath();
        made.addFirst(directory);
        Path mountPoint = Files.createDirectory(directory.resolve("mnt"));
        made.addFirst(mountPoint);
        return mountPoint;
    }

    private synchronized void makeImage(Path image) throws IOException {
        requireNotOver();
        made.addFirst(image);
        Images.create(image, CreateOptions.ofSize(SIZE));
    }

    private synchronized Process launch(Path image, Path mountPoint) throws IOException {
        requireNotOver();
        server = Background.launch(List.of("mount", "--quiet", image.toString(), mountPoint.toString()), false);
        return server;
    }

    private void show() throws IOException, InterruptedException {
        Path mountPoint = makeMountPoint();
        Path image = mountPoint.resolveSibling("disk.qcow2");
        Path raw = mountPoint.resolve("disk.raw");
        say("An image for a disk of 64 MiB:", "    $ qfuse create " + image + " 64M");
        makeImage(image);

        say("Mounted, it is a raw file:", "    $ qfuse mount " + image + " " + mountPoint);
        if (Background.awaitReady(launch(image, mountPoint)) != 0) {
            throw new Failure(image, "could not be mounted");
        }
        try {
            say("    " + raw + ": " + Files.size(raw) + " bytes");
            say("After writing a partition table to the raw file, as any partitioning tool does:");
            writePartitionTable(raw);
            showPartitions(raw);
        } finally {
            say("Unmounted, everything is in the image:", "    $ qfuse unmount " + mountPoint);
            UnmountCommand.unmount(mountPoint);
        }
        say("    " + image + ": " + Files.size(image) / 1024 + " KiB");
    }

    // One Linux partition from sector 2048 to the end of the disk.
    private static void writePartitionTable(Path raw) throws IOException {
        ByteBuffer sector = ByteBuffer.allocate(SECTOR).order(ByteOrder.LITTLE_ENDIAN);
        sector.putInt(440, 0x71667573)
                .put(450, (byte) 0x83)
                .putInt(454, PARTITION_START)
                .putInt(458, (int) (SIZE / SECTOR) - PARTITION_START)
                .putShort(510, (short) 0xaa55);
        try (FileChannel file = FileChannel.open(raw, StandardOpenOption.WRITE)) {
            file.write(sector, 0);
            file.force(true);
        }
    }

    private void showPartitions(Path raw) throws IOException, InterruptedException {
        for (String fdisk : List.of("/usr/sbin/fdisk", "/sbin/fdisk", "/usr/bin/fdisk")) {
            if (Files.isExecutable(Path.of(fdisk))) {
                say("    $ fdisk -l " + raw);
                Process process = new ProcessBuilder(fdisk, "-l", raw.toString())
                        .redirectErrorStream(true)
                        .start();
                String said = new String(process.getInputStream().readAllBytes(), UTF_8);
                said.lines().filter(line -> !line.isBlank()).forEach(line -> say("    " + line));
                process.waitFor();
                return;
            }
        }
        byte[] table = new byte[16];
        try (FileChannel file = FileChannel.open(raw)) {
            file.read(ByteBuffer.wrap(table), 446);
        }
        say("    the table's first entry: " + HexFormat.ofDelimiter(" ").formatHex(table));
    }

    private void say(String... lines) {
        PrintWriter out = spec.commandLine().getOut();
        for (String line : lines) {
            out.println(line);
        }
        out.flush();
    }
}
