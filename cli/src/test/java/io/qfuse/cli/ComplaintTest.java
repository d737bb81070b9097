package io.qfuse.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import org.junit.jupiter.api.Test;

class ComplaintTest {

    @Test
    void a_failure_says_what_and_why() {
        assertThat(Complaint.line("", new Failure("/mnt", "in use"))).isEqualTo("qfuse: /mnt: in use");
    }

    @Test
    void a_complaint_of_many_lines_becomes_one() {
        assertThat(Complaint.line("", new IOException("one\n  two\r\nthree\n"))).isEqualTo("qfuse: one; two; three");
    }

    @Test
    void a_command_line_that_is_wrong_names_its_command() {
        assertThat(Complaint.line("qfuse mount", new IOException("no"))).isEqualTo("qfuse: mount: no");
        assertThat(Complaint.line("qfuse", new IOException("no"))).isEqualTo("qfuse: no");
    }

    @Test
    void what_the_jdk_tells_by_the_class_alone_is_told_in_words() {
        assertThat(Complaint.line("", new NoSuchFileException("/a"))).isEqualTo("qfuse: /a: No such file or directory");
        assertThat(Complaint.line("", new AccessDeniedException("/a"))).isEqualTo("qfuse: /a: Permission denied");
        assertThat(Complaint.line("", new FileSystemException("/a", null, "Is full")))
                .isEqualTo("qfuse: /a: Is full");
    }

    @Test
    void an_error_without_words_is_told_by_its_name() {
        assertThat(Complaint.line("", new IllegalStateException())).isEqualTo("qfuse: IllegalStateException");
    }

    @Test
    void only_verbose_shows_where_it_came_from() {
        StringWriter quiet = new StringWriter();
        Complaint.print(new PrintWriter(quiet), new IOException("no"), false);
        assertThat(quiet.toString()).hasLineCount(1);

        StringWriter verbose = new StringWriter();
        Complaint.print(new PrintWriter(verbose), new IOException("no"), true);
        assertThat(verbose.toString()).contains("\tat ");
    }
}
