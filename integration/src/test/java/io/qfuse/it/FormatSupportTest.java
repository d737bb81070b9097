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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The tables of the format's features and of what strangers can do name tests; they are there. */
class FormatSupportTest {

    private static final Pattern NAMED = Pattern.compile("`(\\w+Test)(?:\\.(\\w+))?`");

    @ParameterizedTest
    @CsvSource({"format-support.md, 40", "security.md, 25"})
    void every_test_that_a_table_names_is_there(String document, int least) throws IOException {
        Map<String, Path> tests = tests();
        Matcher named =
                NAMED.matcher(Files.readString(Qfuse.TREE.resolve("docs").resolve(document)));
        int found = 0;
        while (named.find()) {
            Path source = tests.get(named.group(1));
            assertThat(source).as(named.group(1)).isNotNull();
            if (named.group(2) != null) {
                assertThat(source).content().contains(" void " + named.group(2) + "(");
            }
            found++;
        }
        assertThat(found).isGreaterThan(least);
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
