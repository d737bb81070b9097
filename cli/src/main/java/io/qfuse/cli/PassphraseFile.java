package io.qfuse.cli;

import io.qfuse.qcow2.Passphrase;
import io.qfuse.qcow2.io.OneLine;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Set;

/** Reads a passphrase from a file: all its bytes, a newline at the end too, as qemu's secrets and cryptsetup's key files have it. */
final class PassphraseFile {

    /** The name that stands for standard input. */
    static final String STANDARD_INPUT = "-";

    /** More than anybody's passphrase: a mistyped name may lead to a disk. */
    private static final int MOST_BYTES = 64 << 10;

    private PassphraseFile() {}

    /**
     * Reads a passphrase.
     *
     * @param name the file, or {@link #STANDARD_INPUT}
     */
    static Passphrase read(String name) throws IOException {
        if (!name.equals(STANDARD_INPUT)) {
            warnOfReaders(Path.of(name));
        }
        // Straight from the descriptor: System.in would keep a copy in its buffer.
        try (InputStream in = name.equals(STANDARD_INPUT)
                ? new FileInputStream(FileDescriptor.in)
                : Files.newInputStream(Path.of(name))) {
            return read(in, name.equals(STANDARD_INPUT) ? "standard input" : name);
        }
    }

    private static void warnOfReaders(Path file) throws IOException {
        if (Files.isRegularFile(file)) {
            Set<PosixFilePermission> others = Files.getPosixFilePermissions(file);
            others.removeAll(PosixFilePermissions.fromString("rwx------"));
            if (!others.isEmpty()) {
                System.err.println(
                        OneLine.of("qfuse: " + file + ": the passphrase is open to other users (chmod 600)"));
            }
        }
    }

    private static Passphrase read(InputStream in, String what) throws IOException {
        byte[] room = new byte[MOST_BYTES + 1];
        try {
            int length = in.readNBytes(room, 0, room.length);
            if (length == 0) {
                throw new Failure(what, "holds no passphrase");
            }
            if (length > MOST_BYTES) {
                throw new Failure(what, "holds more than the " + MOST_BYTES + " bytes that a passphrase may have");
            }
            return Passphrase.of(Arrays.copyOf(room, length));
        } finally {
            Arrays.fill(room, (byte) 0);
        }
    }
}
