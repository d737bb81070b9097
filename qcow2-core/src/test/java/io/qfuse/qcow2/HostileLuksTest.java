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
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every field of the crypto header, and of the extension that says where it is, with values that should not be there: an
 * error in one line, or the right bytes. Runs in a small heap.
 */
@Tag("hostile")
final class HostileLuksTest {

    private static final int WRITTEN = 100_000;
    private static final ImageKind PLAIN = new ImageKind(3, 12, 4, false);
    private static final int SLOT_ACTIVE = 0x00ac71f3;

    /** A field by its place from the start of the crypto header, and its length in bytes. */
    private static final Map<Integer, Integer> FIELDS = fields();

    private static Map<Integer, Integer> fields() {
        Map<Integer, Integer> fields = new TreeMap<>(Map.of(
                0, 4, // magic
                4, 4, // magic and version
                8, 4, // cipher
                40, 4, // mode
                72, 4, // hash
                104, 4, // payload offset
                108, 4)); // bytes of the key
        fields.putAll(Map.of(
                112, 4, // digest of the key
                132, 4, // its salt
                164, 4, // its rounds
                168, 4)); // uuid
        for (int slot = 0; slot < 8; slot++) {
            int at = 208 + 48 * slot;
            fields.putAll(Map.of(at, 4, at + 4, 4, at + 8, 4, at + 40, 4, at + 44, 4));
        }
        return fields;
    }

    static List<Arguments> damages() {
        List<Arguments> damages = new ArrayList<>();
        long[] values = {0, 1, 7, 0x7fff_ffff, 0xffff_ffffL, SLOT_ACTIVE};
        FIELDS.forEach((at, bytes) -> {
            for (long value : values) {
                damages.add(Arguments.of("crypto header", at, bytes, value));
            }
        });
        for (int at : new int[] {0, 8}) {
            for (long value : new long[] {0, 1, 512, 4096, 8192, 12_288, 1L << 40, 1L << 56, Long.MIN_VALUE, -1}) {
                damages.add(Arguments.of("extension", at, 8, value));
            }
        }
        for (long value : new long[] {0, 1, 3, 0xffff_ffffL}) {
            damages.add(Arguments.of("crypt_method", 32, 4, value));
        }
        return damages;
    }

    @ParameterizedTest
    @MethodSource("damages")
    void a_hostile_crypto_header_is_one_line_or_leaves_the_bytes_right(String what, int at, int bytes, long value) {
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
            look(image, !what.equals("crypt_method"));
        });
    }

    /** Another method has no way to tell that the bytes are not what they were. */
    private static void look(MemoryHostFile image, boolean sameMethod) {
        try (Disk disk = TestDisk.open(new KeptOpen(image), new MemoryHostFile("no base"));
                NativeBuffer buffer = NativeBuffer.allocate(WRITTEN)) {
            byte[] read = TestDisk.read(disk, 1000, WRITTEN, buffer);
            if (sameMethod) {
                assertThat(Arrays.mismatch(read, written())).isEqualTo(-1);
            }
            disk.write(0, buffer.address(), WRITTEN);
            disk.flush();
        } catch (IOException e) {
            assertThat(e).isInstanceOf(Qcow2Exception.class);
            assertThat(e.getMessage()).startsWith("image.qcow2: ").matches("\\P{Cntrl}{1,2000}");
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
