package io.qfuse.qcow2.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.Qcow2Exception;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class LuksHeaderTest {

    private static final Path PATH = Path.of("disk.qcow2");
    private static final byte[] SECRET = "secret".getBytes(StandardCharsets.US_ASCII);

    @Test
    void the_fields_are_where_the_format_has_them() throws IOException {
        byte[] area = LuksArea.create("serpent", "cbc-essiv:sha256", "ripemd160", 32, SECRET);
        LuksHeader header = decode(area);
        assertThat(header.cipher()).isEqualTo("serpent-256");
        assertThat(header.mode()).isEqualTo("cbc");
        assertThat(header.iv()).isEqualTo("essiv");
        assertThat(header.ivHash()).isEqualTo("sha256");
        assertThat(header.hashName()).isEqualTo("ripemd160");
        assertThat(header.uuid()).isEqualTo("a-name");
        assertThat(header.payloadOffset()).isEqualTo(4040 * 512);
        assertThat(header.slots()).hasSize(8);
        assertThat(header.slots().get(0).active()).isFalse();
        assertThat(header.slots().get(1).active()).isTrue();
        assertThat(header.slots().get(1).materialOffset()).isEqualTo(LuksArea.MATERIAL);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            0    | 1          | the crypto header at 0x0 is no LUKS header: it starts with 00000001babe, not 4c554b53babe
            4    | 0xbabe0002 | LUKS version is 2, not 1
            8    | 0x64657300 | unknown LUKS cipher "des"
            8    | 0x0a657300 | the LUKS cipher name is no text: 0a657300
            40   | 0x7879782d | unknown LUKS cipher mode "xyx"
            44   | 0x2d2d2d2d | unknown LUKS cipher mode "xts-----n64"
            44   | 0x706c616e | unknown LUKS IV generator "plann64"
            72   | 0x73686139 | unknown LUKS hash "sha956"
            108  | 0          | LUKS key bytes are 0, not 1 to 64
            108  | -1         | LUKS key bytes are 4294967295, not 1 to 64
            108  | 63         | LUKS key bytes are 63, which aes-xts does not take
            108  | 40         | LUKS key bytes are 40, which aes-xts does not take
            164  | 0          | LUKS digest iterations are 0
            208  | 1          | LUKS key slot 0 is neither active nor not: 0x1
            260  | 0          | LUKS key slot 1 has 0 iterations
            296  | 1          | LUKS key slot 1 has its key material in sector 1, not inside the crypto header of 260096 bytes
            296  | 9          | LUKS key slot 1 has its key material in sector 9, not inside the crypto header of 260096 bytes
            296  | -1         | LUKS key slot 1 has its key material in sector 4294967295, not inside the crypto header of 260096 bytes
            300  | 4001       | LUKS key slot 1 has 4001 stripes, not 4000
            300  | -1         | LUKS key slot 1 has 4294967295 stripes, not 4000
            """)
    void a_field_that_makes_no_sense_is_named_with_its_value(int offset, String value, String why) throws IOException {
        byte[] area = LuksArea.create("aes", "xts-plain64", "sha256", 64, SECRET);
        ByteBuffer.wrap(area).putInt(offset, Long.decode(value).intValue());
        assertThatThrownBy(() -> decode(area))
                .isInstanceOf(Qcow2Exception.class)
                .hasMessageStartingWith("disk.qcow2: " + why);
    }

    @ParameterizedTest
    @CsvSource({
        "cast5, xts-plain64, 32, 'key bytes are 32, which cast5-xts does not take'",
        "aes, cbc-essiv, 32, IV generator essiv names no hash",
        "aes, cbc-essiv:sha512, 32, 'IV generator essiv:sha512 gives keys of 64 bytes, which aes does not take'"
    })
    void parts_that_do_not_go_together_are_refused(String cipher, String mode, int keyBytes, String why) {
        assertThatThrownBy(() -> CipherSpec.parse(cipher, mode, keyBytes, PATH))
                .isInstanceOf(Qcow2Exception.class)
                .hasMessage("disk.qcow2: LUKS " + why);
    }

    @ParameterizedTest
    @CsvSource({
        "aes, xts-plain64, sha256, 64",
        "aes, cbc-plain, sha1, 24",
        "twofish, cbc-essiv:sha256, sha512, 32",
        "sm4, xts-plain64, sm3, 32",
        "cast5, ctr-plain64, md5, 16"
    })
    void the_passphrase_opens_the_slot_and_another_does_not(String cipher, String mode, String hash, int keyBytes)
            throws IOException {
        byte[] area = LuksArea.create(cipher, mode, hash, keyBytes, SECRET);
        assertThat(LuksKey.find(file(area), decode(area), SECRET)).hasSize(keyBytes);
        byte[] other = "Secret".getBytes(StandardCharsets.US_ASCII);
        assertThatThrownBy(() -> LuksKey.find(file(area), decode(area), other))
                .isInstanceOfSatisfying(
                        Qcow2Exception.class, e -> assertThat(e.kind()).isEqualTo(Qcow2Exception.Kind.NO_KEY))
                .hasMessage("disk.qcow2: the passphrase opens no key slot");
    }

    @ParameterizedTest
    @CsvSource({"260, 50000000", "260, -1", "164, 50000000", "164, -1"})
    void iterations_beyond_the_limit_are_not_begun(int offset, int iterations) throws IOException {
        byte[] area = LuksArea.create("aes", "xts-plain64", "sha256", 64, SECRET);
        ByteBuffer.wrap(area).putInt(offset, iterations);
        assertThatThrownBy(() -> LuksKey.find(file(area), decode(area), SECRET))
                .hasMessageStartingWith("disk.qcow2: the passphrase opens no key slot; key slot 1 was not tried: with ")
                .hasMessageContaining(Integer.toUnsignedString(iterations))
                .hasMessageContaining("more than the 50000000 rounds of hashing");
    }

    @Test
    void damaged_key_material_opens_nothing() throws IOException {
        byte[] area = LuksArea.create("aes", "xts-plain64", "sha256", 64, SECRET);
        area[LuksArea.MATERIAL + 100_000] ^= 1;
        assertThatThrownBy(() -> LuksKey.find(file(area), decode(area), SECRET))
                .hasMessage("disk.qcow2: the passphrase opens no key slot");
    }

    private static LuksHeader decode(byte[] area) throws IOException {
        return LuksHeader.decode(area, 0, area.length, PATH);
    }

    private static MemoryHostFile file(byte[] area) {
        MemoryHostFile file = new MemoryHostFile("disk.qcow2");
        file.write(0, area, 0, area.length);
        return file;
    }
}
