package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Images that name other files, mounted: which file is used is said, and the user has the last word. */
@Tag("system")
class DataFileMountTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    private Path image = Path.of("");
    private Path mountPoint = Path.of("");

    @BeforeEach
    void make_an_image_whose_data_are_elsewhere() throws IOException {
        image = scratch.directory("images").resolve("disk.qcow2");
        mountPoint = scratch.directory("mnt");
        create("data_file=data");
    }

    private void create(String options) {
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-o", options, image, "4M");
    }

    @Test
    void an_image_may_lead_outside_its_directory_only_where_the_user_says_so() {
        String refusal =
                scratch.qfuse().run("mount", image, mountPoint).ended(1).err();
        assertThat(refusal)
                .contains(image.toString(), scratch.path("data").toString(), "--allow-external")
                .hasLineCount(1);
        Result mounted = scratch.qfuse().ok("mount", "--quiet", "--allow-external", image, mountPoint);
        assertThat(mounted.err())
                .contains("guest data are in " + scratch.path("data"))
                .hasLineCount(1);
        useAndUnmount(scratch.path("data"));
    }

    @Test
    void another_data_file_is_used_where_the_user_gives_it() throws IOException {
        Files.createDirectory(scratch.path("elsewhere"));
        Files.move(scratch.path("data"), scratch.path("elsewhere/moved"));
        Result mounted = scratch.qfuse().ok("mount", "--data-file=elsewhere/moved", image, mountPoint);
        assertThat(mounted.err()).contains("guest data are in " + scratch.path("elsewhere/moved"));
        useAndUnmount(scratch.path("elsewhere/moved"));
    }

    @Test
    void a_raw_data_file_is_the_disk_after_all_that_a_user_does() {
        create("data_file=images/raw,data_file_raw=on");
        scratch.qfuse().ok("mount", image, mountPoint);
        useAndUnmount(scratch.path("images/raw"));
        scratch.shell().script("cmp expected images/raw").ok();
    }

    /** Writes, punches, zeroes and resizes the mounted disk, and compares what qemu reads in the end. */
    private void useAndUnmount(Path data) {
        String conflict = scratch.shell()
                .run("qemu-io", "-f", "raw", "-c", "write 0 512", data)
                .err();
        assertThat(conflict).contains("lock");
        scratch.shell()
                .script("head -c 3M /dev/urandom > random; raw=mnt/disk.raw;"
                        + " dd if=random of=$raw bs=1M conv=notrunc status=none;"
                        + " fallocate -p -o 70000 -l 500000 $raw; fallocate -z -o 1000000 -l 300000 $raw;"
                        + " truncate -s 5M $raw; dd if=random of=$raw bs=1k seek=4500 count=100 conv=notrunc status=none;"
                        + " fallocate -p -o 4620000 -l 5000 $raw; cp --sparse=never $raw expected")
                .ok();
        scratch.qfuse().ok("unmount", mountPoint);
        String options = "driver=qcow2,file.filename=" + image + ",data-file.driver=file,data-file.filename=" + data;
        scratch.qemuImg().ok("check", "--image-opts", options);
        scratch.qemuImg().ok("convert", "-O", "raw", "--image-opts", options, "copy.raw");
        scratch.shell().script("cmp expected copy.raw").ok();
    }

    @Test
    void a_tree_that_only_wraps_the_backing_file_is_followed() {
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "images/base.qcow2", "4M");
        scratch.qemuIo().on(scratch.path("images/base.qcow2"), "write -P 0x55 0 1M");
        String tree = "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\""
                + image.resolveSibling("base.qcow2") + "\"}}";
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", tree, "images/top.qcow2");
        scratch.qfuse().ok("mount", "--read-only", "images/top.qcow2", mountPoint);
        scratch.shell()
                .run("qemu-io", "-f", "raw", "-r", "-c", "read -P 0x55 0 1M", "mnt/top.raw")
                .ok();
        scratch.qfuse().ok("unmount", mountPoint);
    }

    @Test
    void a_backing_file_elsewhere_is_opened_with_a_warning() {
        scratch.qemuImg().ok("create", "-q", "-f", "qcow2", "base.qcow2", "4M");
        scratch.qemuImg()
                .ok("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", scratch.path("base.qcow2"), "images/top.qcow2");
        Result mounted = scratch.qfuse().ok("mount", "--quiet", "images/top.qcow2", mountPoint);
        assertThat(mounted.err())
                .contains(scratch.path("base.qcow2").toString(), "outside")
                .hasLineCount(1);
        scratch.qfuse().ok("unmount", mountPoint);
    }
}
