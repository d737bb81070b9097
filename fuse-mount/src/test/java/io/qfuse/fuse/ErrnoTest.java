package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.io.HostIoException;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

final class ErrnoTest {

    @ParameterizedTest
    @CsvSource({
        "UNSUPPORTED, 95",
        "CORRUPT, 5",
        "FLUSH_FAILED, 5",
        "READ_ONLY, 30",
        "OUT_OF_RANGE, 22",
        "NO_SPACE, 28",
        "LOCKED, 16",
        "MALFORMED, 5"
    })
    void errors_of_the_image_have_their_numbers(Qcow2Exception.Kind kind, int errno) {
        assertThat(Errno.of(new Qcow2Exception(kind, "x", "y"))).isEqualTo(errno);
    }

    @ParameterizedTest
    @EnumSource
    void every_kind_has_a_number(Qcow2Exception.Kind kind) {
        assertThat(Errno.logged(new Qcow2Exception(kind, "x", "tried by a test")))
                .isPositive();
    }

    @Test
    void errors_of_the_host_reach_the_client_as_they_are() {
        assertThat(Errno.of(new HostIoException("x", "pwrite", Errno.ENOSPC, "full")))
                .isEqualTo(Errno.ENOSPC);
        assertThat(Errno.of(new HostIoException("x", "pwrite", 0, "?"))).isEqualTo(Errno.EIO);
    }

    @Test
    void anything_else_is_an_input_output_error() {
        assertThat(Errno.of(new IOException("?"))).isEqualTo(Errno.EIO);
        assertThat(Errno.of(new IllegalStateException("?"))).isEqualTo(Errno.EIO);
        assertThat(Errno.of(new StackOverflowError())).isEqualTo(Errno.EIO);
        assertThat(Errno.of(new OutOfMemoryError())).isEqualTo(Errno.ENOMEM);
        assertThat(Errno.of(new ErrnoException(Errno.ENXIO, "?"))).isEqualTo(Errno.ENXIO);
    }
}
