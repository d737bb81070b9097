package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.TestDisk.KeptOpen;
import io.qfuse.qcow2.format.HeaderExtension;
import io.qfuse.qcow2.io.HeaderReader;
import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.BoundedTime;
import io.qfuse.qcow2.testing.ImageKind;
import io.qfuse.qcow2.testing.MemoryHostFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every field of the crypto header, and of the extension that says where it is, with values that should not be there: an
 * error in one line that names the field and its value, or the right bytes. Runs in a small heap.
 */
@Tag("hostile")
final class HostileLuksTest {

    private static final int WRITTEN = 100_000;
    private static final ImageKind PLAIN = new ImageKind(3, 12, 4, false);
    private static final long SLOT_ACTIVE = 0x00ac71f3;

    private static final String OPENS_NOTHING = "the passphrase opens no key slot";

    /**
     * A field.
     *
     * @param what the structure that has it
     * @param at its place there
     * @param bytes its length
     * @param values the ones that should not be there
     * @param says what a refusal says because of it, an expression in which {@code #} is the value
     */
    private record Field(String what, int at, int bytes, List<Long> values, String says) {

        Field(int at, String says) {
            this("crypto header", at, 4, WORDS, says);
        }
    }

    private static final List<Long> WORDS = List.of(0L, 1L, 7L, 0x7fff_ffffL, 0xffff_ffffL, SLOT_ACTIVE);
    private static final List<Long> OFFSETS =
            List.of(0L, 1L, 512L, 4096L, 8192L, 12_288L, 1L << 40, 1L << 56, Long.MIN_VALUE, -1L);

    private static List<Field> fields() {
        String beginning = "the crypto header at 0x\\w+ is no LUKS header: it starts with ";
        List<Field> fields = new ArrayList<>(List.of(
                new Field(0, beginning + "0{0,7}#babe, not .*"),
                new Field(4, beginning + "4c554b53\\w{4}, not .*|LUKS version is \\d+, not 1"),
                new Field(8, "the LUKS cipher name is no text: 0*#(00)*|unknown LUKS cipher .*"),
                new Field(40, "the LUKS cipher mode is no text: 0*#\\w*|unknown LUKS cipher mode .*"),
                new Field(72, "the LUKS hash name is no text: 0*#\\w*|unknown LUKS hash .*"),
                new Field(104, "nothing: data begin where the image says"),
                new Field(108, "LUKS key bytes are #, .*|" + OPENS_NOTHING),
                new Field(112, OPENS_NOTHING),
                new Field(132, OPENS_NOTHING),
                new Field(164, "LUKS digest iterations are #|" + OPENS_NOTHING + "(; .*, and # for the digest, .*)?"),
                new Field(168, "the LUKS UUID is no text: 0*#\\w*")));
        for (int slot = 0; slot < 8; slot++) {
            int at = 208 + 48 * slot;
            String name = "LUKS key slot " + slot;
            fields.add(new Field(at, name + " is neither active nor not: 0x#|" + name + " has .*|" + OPENS_NOTHING));
            fields.add(
                    new Field(at + 4, name + " has # iterations|" + OPENS_NOTHING + "(; .* with # iterations, .*)?"));
            fields.add(new Field(at + 8, OPENS_NOTHING));
            fields.add(new Field(at + 40, name + " has its key material in sector #, .*|" + OPENS_NOTHING));
            fields.add(new Field(at + 44, name + " has # stripes, not 4000"));
        }
        fields.add(
                new Field("extension", 0, 8, OFFSETS, "the crypto header's offset is #, .*|.*crypto header.* at #.*"));
        fields.add(new Field("extension", 8, 8, OFFSETS, "(.*the crypto header's length is|LUKS .* header of) #.*"));
        fields.add(new Field("header", 32, 4, List.of(0L, 1L, 3L, 0xffff_ffffL), ".*crypt_method is #.*"));
        return fields;
    }

    static List<Arguments> damages() {
        List<Arguments> damages = new ArrayList<>();
        for (Field field : fields()) {
            for (long value : field.values) {
                damages.add(Arguments.of(field.what, field.at, field.bytes, value, field.says));
            }
        }
        return damages;
    }

    @ParameterizedTest
    @MethodSource("damages")
    void a_hostile_crypto_header_is_one_line_or_leaves_the_bytes_right(
            String what, int at, int bytes, long value, String says) {
        BoundedTime.run(() -> {
            MemoryHostFile image = image();
            byte[] extension =
                    HeaderReader.read(image).extension(HeaderExtension.CRYPTO).orElseThrow();
            long start = switch (what) {
                case "crypto header" -> ByteBuffer.wrap(extension).getLong();
                case "extension" -> HeaderReader.read(image).headerLength() + 8L;
                default -> 0;
            };
            image.write(start + at, ByteBuffer.allocate(8).putLong(value).array(), 8 - bytes, bytes);
            String number = "(0x)?" + Long.toHexString(value) + "|" + Long.toUnsignedString(value);
            look(image, Pattern.compile("image\\.qcow2: (" + says.replace("#", "(" + number + ")") + ")"));
        });
    }

    private static void look(MemoryHostFile image, Pattern refusal) {
        try (Disk disk = TestDisk.open(new KeptOpen(image), new MemoryHostFile("no base"));
                NativeBuffer buffer = NativeBuffer.allocate(WRITTEN)) {
            byte[] read = TestDisk.read(disk, 1000, WRITTEN, buffer);
            assertThat(Arrays.mismatch(read, written())).isEqualTo(-1);
            disk.write(0, buffer.address(), WRITTEN);
            disk.flush();
        } catch (IOException e) {
            assertThat(e).isInstanceOf(Qcow2Exception.class);
            assertThat(e.getMessage()).matches("\\P{Cntrl}{1,2000}").matches(refusal);
        }
    }

    private static MemoryHostFile image() throws IOException {
        MemoryHostFile image = new EncryptedDiskTest.Kind(PLAIN, "xts-plain64", 64).create();
        try (Disk disk = TestDisk.open(new KeptOpen(image), new MemoryHostFile("no base"));
                NativeBuffer buffer = NativeBuffer.allocate(WRITTEN)) {
            NativeBuffer.put(buffer.address(), written(), 0, WRITTEN);
            disk.write(1000, buffer.address(), WRITTEN);
        }
        return image;
    }

    private static byte[] written() {
        byte[] bytes = new byte[WRITTEN];
        Arrays.fill(bytes, (byte) 'x');
        return bytes;
    }
}
