package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** {@code qfuse map} beside {@code qemu-img map}: the same words, the same list but for what qemu-img has learnt since. */
@Tag("system")
final class MapCommandTest {

    @RegisterExtension
    private final Scratch scratch = new Scratch();

    @Test
    void it_says_what_qemu_says_of_a_chain_and_draws_it() {
        scratch.shell()
                .script("qemu-img create -q -f raw base.raw 2M && qemu-io -f raw -c 'write 256k 300k' base.raw"
                        + " && qemu-img create -q -f qcow2 -b base.raw -F raw disk.qcow2 4M"
                        + " && qemu-io -f qcow2 -c 'write 1M 130k' -c 'write -z 2M 64k' -c 'write 3M 64k' disk.qcow2")
                .ok();
        for (String words : new String[] {"disk.qcow2", "-f raw base.raw", "-s 300k --max-length=1M disk.qcow2"}) {
            Object[] command = ("map --output=json " + words).split(" ", -1);
            String ours = scratch.qfuse().ok(command).out();
            assertThat(ours).contains("\"compressed\": false");
            assertThat(ours.replaceAll(", \"compressed\": \\w+", ""))
                    .isEqualTo(scratch.qemuImg().ok(command).out());
        }
        scratch.qfuse().ok("map", "--svg", "disk.svg", "--html", "disk.html", "disk.qcow2");
        assertThat(scratch.path("disk.svg")).content().startsWith("<svg ");
        assertThat(scratch.path("disk.html")).content().contains("base.raw", "</html>");
        assertThat(scratch.qfuse().ok("map", "--picture", "disk.qcow2").out())
                .contains("#")
                .doesNotContain("\u001b");
        assertThat(scratch.qfuse().run("map", "-s", "5M", "disk.qcow2").ended(2).err())
                .contains("--start-offset");
    }
}
