package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** {@code qfuse check} beside {@code qemu-img check}: the same words, the same report, the same exit code. */
@Tag("system")
final class CheckCommandTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    @Test
    void it_says_what_qemu_says_of_an_image_with_all_kinds_of_clusters() throws IOException {
        Path image = scratch.path("disk.qcow2");
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", "plain.qcow2", "8M");
        scratch.shell()
                .script(
                        "qemu-io -f qcow2 -c 'write -P 1 0 1M' -c 'write -P 2 3M 100k' plain.qcow2"
                                + " && qemu-img convert -c -O qcow2 -o cluster_size=4k plain.qcow2 disk.qcow2"
                                + " && qemu-img snapshot -c one disk.qcow2"
                                + " && qemu-io -f qcow2 -c 'write -P 3 5M 64k' -c 'write -P 4 200k 9k' -c 'write -z 6M 1M' disk.qcow2")
                .ok();
        same(image, 0);
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(file.length() + 4095);
            file.write(0);
            long cluster = file.length() / 4096 - 1;
            file.seek(4096);
            long block = file.readLong();
            file.seek(block + 2 * cluster);
            file.writeShort(1);
        }
        same(image, 3);
        scratch.shell().run("cp", image, scratch.path("copy.qcow2")).ok();
        same(image, 0, "-r", "leaks");
        scratch.qemuImg().check(image);
    }

    /** Words that change the image are tried by qemu on a copy. */
    private void same(Path image, int exit, Object... words) {
        Object[] ours = join(words, "check", "--output=json", image);
        Path copy = scratch.path("copy.qcow2");
        Object[] theirs = join(words, "check", "--output=json", words.length == 0 ? image : copy);
        Result us = scratch.qfuse().run(ours).ended(exit);
        Result qemu = scratch.qemuImg().run(theirs).ended(exit);
        assertThat(lines(us)).isEqualTo(lines(qemu));
    }

    private static Object[] join(Object[] more, Object... first) {
        Object[] all = new Object[first.length + more.length];
        System.arraycopy(first, 0, all, 0, first.length);
        System.arraycopy(more, 0, all, first.length, more.length);
        return all;
    }

    /** The fields, whose order nobody promises. */
    private static Set<String> lines(Result result) {
        Set<String> lines = new TreeSet<>();
        result.out().lines().map(line -> line.strip().replaceAll(",$", "")).forEach(lines::add);
        lines.removeIf(line -> line.startsWith("\"filename\""));
        return lines;
    }
}
