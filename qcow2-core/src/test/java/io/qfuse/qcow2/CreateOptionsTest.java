package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.CreateOptions.Backing;
import io.qfuse.qcow2.CreateOptions.Compression;
import io.qfuse.qcow2.CreateOptions.DataFile;
import io.qfuse.qcow2.CreateOptions.Preallocation;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class CreateOptionsTest {

    @Test
    void nothing_given_is_a_version_3_image_with_64k_clusters() {
        assertThat(CreateOptions.parse(List.of()).withSize(5)).isEqualTo(CreateOptions.ofSize(5));
    }

    @Test
    void every_option_is_read_whether_in_one_word_or_in_several() {
        CreateOptions expected = new CreateOptions(
                1 << 20,
                16384,
                3,
                64,
                true,
                true,
                Compression.ZSTD,
                Preallocation.METADATA,
                new Backing("a,b=c.img", "raw"),
                new DataFile("d.raw", true),
                false);
        assertThat(CreateOptions.parse(List.of(
                        "size=1M,cluster_size=16k,compat=v3,refcount_bits=64,lazy_refcounts=on",
                        "compression_type=zstd",
                        "preallocation=metadata,backing_file=a,,b=c.img,backing_fmt=raw",
                        "extended_l2=on,encryption=off,data_file=d.raw,data_file_raw=on")))
                .isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
            cluster_size            | 'cluster_size' is not of the form option=value
            clustersize=64k         | there is no option 'clustersize'
            cluster_size=100k       | cluster_size=100k is not possible: it must be a power of two from 512 to 2M
            cluster_size=4M         | cluster_size=4M is not possible: it must be a power of two from 512 to 2M
            cluster_size=256        | cluster_size=256 is not possible: it must be a power of two from 512 to 2M
            cluster_size=x          | 'x' is not a size: write bytes, or a number with k, M, G, T, P or E behind it
            compat=1.0              | compat=1.0 is not possible: it must be 0.10 (v2) or 1.1 (v3)
            refcount_bits=3         | refcount_bits=3 is not possible: it must be 1, 2, 4, 8, 16, 32 or 64
            refcount_bits=128       | refcount_bits=128 is not possible: it must be 1, 2, 4, 8, 16, 32 or 64
            compat=v2,refcount_bits=8 | refcount_bits=8 is not possible with compat=0.10: it must be 16
            compat=v2,lazy_refcounts=on | lazy_refcounts=on is not possible with compat=0.10
            compat=v2,compression_type=zstd | compression_type=zstd is not possible with compat=0.10
            compression_type=lz4    | compression_type=lz4 is not possible: it must be zlib or zstd
            lazy_refcounts=yes      | lazy_refcounts=yes is not possible: it must be on or off
            preallocation=full      | preallocation=full is not supported: use off or metadata
            extended_l2=on,cluster_size=8k | extended_l2=on is not possible with cluster_size=8192: it must be at least 16k
            compat=v2,extended_l2=on | extended_l2=on is not possible with compat=0.10
            encrypt.format=luks     | encrypt.format=luks is not supported
            data_file_raw=on        | data_file_raw=on is given without data_file
            compat=v2,data_file=x   | data_file=x is not possible with compat=0.10
            backing_file=x          | backing_file=x is given without backing_fmt: say whether it is qcow2 or raw
            backing_fmt=raw         | backing_fmt=raw is given without backing_file
            """)
    void what_is_not_possible_is_refused_with_the_option(String word, String why) {
        assertThatThrownBy(() -> CreateOptions.parse(List.of(word)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(why);
    }
}
