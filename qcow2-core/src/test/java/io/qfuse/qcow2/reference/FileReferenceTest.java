package io.qfuse.qcow2.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.Qcow2Exception;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class FileReferenceTest {

    private static final Path IMAGE = Path.of("top.qcow2");

    private static FileReference parse(String stored) throws IOException {
        return FileReference.parse(stored, "backing file", IMAGE);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\0', textBlock = """
                    base.raw                                                                            | base.raw   |
                    /vm/base                                                                            | /vm/base   |
                    ./a:b                                                                               | ./a:b      |
                    file:/vm/base                                                                       | /vm/base   |
                    json:{"driver":"qcow2","file":{"driver":"file","filename":"x"}}                     | x          | qcow2
                    json:{"driver":"raw","file":{"driver":"host_device","filename":"/dev/vg/lv"}}       | /dev/vg/lv | raw
                    json:{"driver":"raw","file.driver":"file","file.filename":"a b"}                    | a b        | raw
                    json:{"file.filename":"x"}                                                          | x          |
                    json:{"file":{"filename":"x"}}                                                      | x          |
                    json:{"driver":"file","filename":"x"}                                               | x          |
                    json:{"driver":"qcow2","lazy-refcounts":"on","file":{"driver":"file","filename":"x","locking":"off"}} | x | qcow2
                    json:{"driver":"qcow2","read-only":true,"cache":{"direct":false},"file.filename":"x"} | x        | qcow2
                    """)
    void what_only_wraps_a_file_is_that_file(String stored, String name, String format) throws IOException {
        assertThat(parse(stored))
                .isEqualTo(new FileReference(name, format == null ? "" : format, stored.startsWith("json:")));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\0', textBlock = """
                    nbd://localhost/x                                                                   | not a path of this host
                    nbd:unix:/s                                                                         | not a path of this host
                    fat:rw:/etc                                                                         | not a path of this host
                    json:                                                                               | no JSON object
                    json:[]                                                                             | no JSON object
                    json:"x"                                                                            | no JSON object
                    json:{                                                                              | no JSON
                    json:{} {}                                                                          | something follows
                    json:{}                                                                             | driver ""
                    json:{"driver":"nbd","host":"h"}                                                    | driver "nbd"
                    json:{"driver":"qcow2"}                                                             | driver "qcow2"
                    json:{"driver":"vmdk","file":{"filename":"x"}}                                      | driver "vmdk"
                    json:{"driver":"raw","file":{"driver":"https","url":"u"}}                           | driver "https"
                    json:{"driver":"raw","offset":512,"file":{"filename":"x"}}                          | option "offset"
                    json:{"driver":"raw","size":"512","file":{"filename":"x"}}                          | option "size"
                    json:{"driver":"qcow2","backing":null,"file":{"filename":"x"}}                      | option "backing"
                    json:{"driver":"qcow2","backing":{"driver":"null-co"},"file":{"filename":"x"}}      | option "backing.driver"
                    json:{"driver":"qcow2","file":"node0"}                                              | driver "qcow2"
                    json:{"driver":"qcow2","file":{"driver":"throttle","file":{"filename":"x"}}}        | driver "throttle"
                    json:{"driver":"qcow2","file":{"filename":"x"},"file.filename":"y"}                 | "file.filename" comes twice
                    json:{"driver":"raw","driver":"qcow2","file":{"filename":"x"}}                      | "driver" comes twice
                    json:{"driver":"raw","file":{}}                                                     | driver "raw"
                    json:{"driver":"raw","file":{"driver":"file"}}                                      | names no file
                    json:{"driver":"raw","file":[{"filename":"x"}]}                                     | "file" is a list
                    json:{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}}}}}}}}}} | no JSON
                    """)
    void everything_else_is_refused_by_what_it_says(String stored, String why) {
        assertThatThrownBy(() -> parse(stored))
                .isInstanceOf(Qcow2Exception.class)
                .hasMessageStartingWith("top.qcow2: ")
                .hasMessageContainingAll("\"" + stored.substring(0, 4), why)
                .hasMessageNotContaining("\n");
    }

    @Test
    void a_name_that_no_file_can_have_is_refused() {
        assertThatThrownBy(() -> parse("")).hasMessageContaining("name is empty");
        assertThatThrownBy(() -> parse("a\0b")).hasMessageContaining("NUL");
        assertThatThrownBy(() -> parse("json:{\"file.filename\":\"a\\u0000b\"}"))
                .hasMessageContaining("names no file");
        assertThatThrownBy(() -> parse("x".repeat(4096))).hasMessageContaining("4096 characters");
    }
}
