package io.qfuse.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The table of the format's features names tests; they are there. */
class FormatSupportTest {

    private static final Pattern NAMED = Pattern.compile("`(\\w+Test)(?:\\.(\\w+))?`");

    @Test
    void every_test_that_the_table_names_is_there() throws IOException {
        Map<String, Path> tests = tests();
        Matcher named = NAMED.matcher(Files.readString(Qfuse.TREE.resolve("docs/format-support.md")));
        int found = 0;
        while (named.find()) {
            Path source = tests.get(named.group(1));
            assertThat(source).as(named.group(1)).isNotNull();
            if (named.group(2) != null) {
                assertThat(source).content().contains(" void " + named.group(2) + "(");
            }
            found++;
        }
        assertThat(found).isGreaterThan(40);
    }

    private static Map<String, Path> tests() throws IOException {
        try (Stream<Path> files = Files.walk(Qfuse.TREE)) {
            return files.filter(file -> file.toString().endsWith("Test.java"))
                    .collect(Collectors.toMap(
                            file -> file.getFileName().toString().replace(".java", ""),
                            file -> file,
                            (one, other) -> one));
        }
    }
}
