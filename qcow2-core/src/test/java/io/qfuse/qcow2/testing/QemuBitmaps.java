package io.qfuse.qcow2.testing;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Reads persistent bitmaps by qemu-nbd and qemu-img, for tests tagged {@code system}. */
public final class QemuBitmaps {

    private static final Pattern ENTRY =
            Pattern.compile("\"start\": (\\d+), \"length\": (\\d+), .*?\"data\": (true|false)");

    private QemuBitmaps() {}

    /**
     * The dirty granules of a bitmap that is consistent.
     *
     * @param name its name, in ASCII
     * @param directory where a socket may be made
     */
    public static BitSet read(Path image, String name, int granularityBits, Path directory) throws IOException {
        return read(List.of("-f", "qcow2", image), name, granularityBits, directory);
    }

    /** The same of an image that is opened by certain words. */
    public static BitSet read(List<Object> opened, String name, int granularityBits, Path directory)
            throws IOException {
        Path socket = Files.createTempFile(directory, "nbd", "");
        Files.delete(socket);
        Path pid = socket.resolveSibling(socket.getFileName() + ".pid");
        String[] server = {"qemu-nbd", "--fork", "-r", "--pid-file=" + pid, "-B", name, "-k", socket.toString()};
        run(Stream.concat(Stream.of(server), opened.stream().map(Object::toString))
                .toArray(String[]::new));
        long process = Long.parseLong(Files.readString(pid).trim());
        String map = run(
                "qemu-img",
                "map",
                "--output=json",
                "--image-opts",
                "driver=nbd,server.type=unix,server.path=" + socket + ",x-dirty-bitmap=qemu:dirty-bitmap:" + name);
        end(process); // it would end by itself, seconds after its one client has left, and has the image locked
        // until then
        BitSet dirty = new BitSet();
        Matcher matcher = ENTRY.matcher(map);
        while (matcher.find()) {
            if (matcher.group(3).equals("false")) {
                long start = Long.parseLong(matcher.group(1));
                long end = start + Long.parseLong(matcher.group(2));
                dirty.set((int) (start >> granularityBits), (int) ((end - 1) >> granularityBits) + 1);
            }
        }
        return dirty;
    }

    private static void end(long process) {
        ProcessHandle.of(process).ifPresent(ProcessHandle::destroy);
        long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        while (isRunning(process)) {
            if (System.nanoTime() > end) {
                throw new AssertionError("qemu-nbd, process " + process + ", does not end");
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
        }
    }

    /** What has ended and was not yet taken note of by its parent, which may be slow, has no command line any more. */
    private static boolean isRunning(long process) {
        try {
            return !Files.readString(Path.of("/proc/" + process + "/cmdline")).isEmpty();
        } catch (IOException e) {
            return false; // gone, be it in the middle of the read
        }
    }

    private static String run(String... words) throws IOException {
        Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (process.waitFor() != 0) {
                throw new AssertionError(List.of(words) + ": " + output);
            }
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        return output;
    }
}
