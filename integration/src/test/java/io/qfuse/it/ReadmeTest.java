package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("system")
class ReadmeTest {

    private static final Pattern SCRIPT = Pattern.compile("```sh\n(.*?)```", Pattern.DOTALL);

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    @Test
    void the_commands_of_the_readme_do_what_it_says() throws IOException {
        Matcher script = SCRIPT.matcher(Files.readString(Qfuse.TREE.resolve("README.md")));
        assertThat(script.find()).isTrue();
        Files.createSymbolicLink(scratch.path("qfuse"), Qfuse.LAUNCHER);
        Result result = scratch.shell().script(script.group(1)).ok();
        assertThat(result.out()).contains("Disklabel type: dos", "virtual size: 1 GiB");
        assertThat(scratch.mounts()).isEmpty();
        assertThat(scratch.loopDevices()).isEmpty();
        scratch.qemuImg().check(scratch.path("disk.qcow2"));

        // The file is in the image, for qemu too.
        scratch.qemuImg().ok("convert", "-O", "raw", "disk.qcow2", "copy.raw");
        scratch.shell().script("mount -o loop,ro,offset=1M copy.raw files").ok();
        assertThat(scratch.path("files/greeting")).hasContent("hello");
        scratch.shell().run("umount", "files").ok();
    }
}
