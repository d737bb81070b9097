package io.qfuse.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.qfuse.qcow2.io.NativeBuffer;
import io.qfuse.qcow2.testing.Luks;
import io.qfuse.qcow2.testing.QemuBitmaps;
import io.qfuse.qcow2.testing.QemuImg;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Encrypted images of every kind that qemu-img makes, against qemu. */
@Tag("system")
final class EncryptedQemuTest {

    private static final String SECRET = "correct horse\n";
    private static final int SIZE = (1 << 20) + 3 * 512;
    private static final int OPERATIONS = 25;
    private static final String LUKS = "encrypt.format=luks";

    @TempDir
    private Path directory;

    private Luks luks = new Luks(Path.of(""));
    private Path image = Path.of("");

    @BeforeEach
    void keep_a_secret() throws IOException {
        luks = Luks.with(directory, SECRET);
        image = directory.resolve("image.qcow2");
    }

    /** Each cipher, mode, vector, hash and layout. */
    static List<String> kinds() {
        return List.of(
                "encrypt.format=aes",
                "encrypt.format=aes,compat=0.10,cluster_size=512",
                "encrypt.format=aes,extended_l2=on",
                LUKS,
                LUKS + ",cluster_size=512",
                LUKS + ",cluster_size=2M",
                LUKS + ",cluster_size=16k,extended_l2=on",
                cipher("aes-128", "xts", "plain", "sha1"),
                cipher("aes-192", "xts", "essiv", "md5") + ",encrypt.ivgen-hash-alg=sha256",
                cipher("aes-128", "cbc", "plain", "sha512") + ",encrypt.ivgen-hash-alg=sha512",
                cipher("aes-256", "cbc", "plain64", "ripemd160"),
                cipher("aes-256", "cbc", "essiv", "sha384") + ",encrypt.ivgen-hash-alg=sha256,cluster_size=4k",
                cipher("aes-128", "cbc", "essiv", "sha224") + ",encrypt.ivgen-hash-alg=md5",
                cipher("aes-256", "ctr", "plain64", "sha256"),
                cipher("aes-256", "ecb", "plain64", "sha256"),
                cipher("serpent-128", "cbc", "plain", "sha256"),
                cipher("serpent-192", "xts", "plain64", "sha256"),
                cipher("serpent-256", "cbc", "essiv", "sha256") + ",encrypt.ivgen-hash-alg=sha256",
                cipher("twofish-128", "cbc", "plain64", "sha256"),
                cipher("twofish-192", "xts", "plain64", "sha256"),
                cipher("twofish-256", "cbc", "essiv", "sha256") + ",encrypt.ivgen-hash-alg=sha256",
                cipher("cast5-128", "cbc", "plain64", "sha256"),
                cipher("cast5-128", "ctr", "plain64", "sha256"));
    }

    private static String cipher(String name, String mode, String iv, String hash) {
        return LUKS + ",encrypt.cipher-alg=" + name + ",encrypt.cipher-mode=" + mode + ",encrypt.ivgen-alg=" + iv
                + ",encrypt.hash-alg=" + hash;
    }

    @ParameterizedTest
    @MethodSource("kinds")
    void qemu_reads_what_we_wrote_over_what_we_read_of_qemus(String kind) throws IOException {
        luks.create(kind, image, SIZE);
        byte[] model = new byte[SIZE];
        fillByQemu(model, 0x5a, 3000, 200_000);
        fillByQemu(model, 0x77, 700 << 10, 65536);
        long seed = kind.hashCode();
        try {
            use(image, model, new Random(seed));
            assertThat(Arrays.mismatch(luks.read(image, false), model)).isEqualTo(-1);
            luks.check(image, false);
        } catch (IOException | RuntimeException | AssertionError e) {
            throw new AssertionError(kind + ", seed " + seed, e);
        }
    }

    /** The header too is qemu's: it takes seconds to make one. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "encrypt.format=aes,compat=0.10",
                LUKS,
                LUKS
                        + ",cluster_size=4k,encrypt.cipher-alg=twofish-256,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv"
                        + ",encrypt.ivgen-hash-alg=sha256,encrypt.hash-alg=sha512"
            })
    void an_image_of_qemus_alone_is_used(String kind) throws IOException {
        luks.createByQemu(kind, image, SIZE);
        byte[] model = new byte[SIZE];
        fillByQemu(model, 0x5a, 3000, 200_000);
        use(image, model, new Random(4));
        assertThat(Arrays.mismatch(luks.read(image, false), model)).isEqualTo(-1);
        luks.check(image, false);
    }

    /** Of a new one qemu reads noise: all its clusters are allocated, and its zeroes are decrypted. */
    @Test
    void a_raw_data_file_holds_the_disk_encrypted_but_for_zeroes_that_the_tables_know_of() throws IOException {
        Path data = directory.resolve("data.raw");
        luks.createByQemu(LUKS + ",data_file=" + data + ",data_file_raw=on", image, SIZE);
        byte[] model = luks.read(image, false);
        assertThat(Arrays.copyOf(model, 16)).isNotEqualTo(new byte[16]);
        fillByQemu(model, 0x5a, 3000, 200_000);
        use(image, model, new Random(6));
        try (Disk disk = open(OpenOptions.readWrite());
                NativeBuffer buffer = NativeBuffer.allocate(100_000)) {
            NativeBuffer.zero(buffer.address(), 100_000);
            disk.write(500_000, buffer.address(), 100_000);
            disk.writeZeroes(700_000, 100_000, true);
            disk.writeZeroes(900_000, 100_000, false);
        }
        for (int offset : new int[] {500_000, 700_000, 900_000}) {
            Arrays.fill(model, offset, offset + 100_000, (byte) 0);
        }
        assertThat(Arrays.mismatch(luks.read(image, false), model)).isEqualTo(-1);
        luks.check(image, false);
        byte[] stored = Files.readAllBytes(data);
        assertThat(Arrays.copyOfRange(stored, 550_000, 550_016)).isNotEqualTo(new byte[16]);
        assertThat(Arrays.copyOfRange(stored, 720_896, 786_432)).containsOnly(0);
    }

    @Test
    void bitmaps_record_what_is_written_to_an_encrypted_image() throws IOException {
        luks.create(LUKS, image, SIZE);
        List<Object> add = new ArrayList<>(List.of("bitmap", "--add", "-g", 4096));
        add.addAll(luks.opened(image));
        add.add("b");
        QemuImg.run(add.toArray());
        try (Disk disk = open(OpenOptions.readWrite());
                NativeBuffer buffer = NativeBuffer.allocate(4096)) {
            disk.write(70_000, buffer.address(), 10);
            disk.writeZeroes(300_000, 5000, true);
        }
        luks.io(image, false, "write 500k 4k");
        BitSet dirty = new BitSet();
        dirty.set(70_000 >> 12);
        dirty.set(300_000 >> 12, (305_000 >> 12) + 1);
        dirty.set(125);
        assertThat(QemuBitmaps.read(luks.opened(image), "b", 12, directory)).isEqualTo(dirty);
    }

    /** No program makes them; QEMU refuses to write them, and so do we, who write none at all. */
    @Test
    void compressed_clusters_in_an_encrypted_image_are_not_encrypted_for_qemu_and_us() throws IOException {
        byte[] model = new byte[SIZE];
        Arrays.fill(model, (byte) 0x33);
        Path raw = Files.write(directory.resolve("plain.raw"), model);
        QemuImg.run("convert", "-c", "-f", "raw", "-O", "qcow2", raw, image);
        luks.encrypt(image);
        assertThat(Arrays.mismatch(luks.read(image, false), model)).isEqualTo(-1);
        assertThatThrownBy(() -> luks.io(image, false, "write -c 0 64k")).hasMessageContaining("write failed");
        use(image, model, new Random(5));
        assertThat(Arrays.mismatch(luks.read(image, false), model)).isEqualTo(-1);
        luks.check(image, false);
    }

    private void fillByQemu(byte[] model, int pattern, int offset, int length) {
        luks.io(image, false, "write -P " + pattern + " " + offset + " " + length);
        Arrays.fill(model, offset, offset + length, (byte) pattern);
    }

    @Test
    void writes_over_encrypted_and_plain_layers_copy_what_is_around_them_encrypted_anew() throws IOException {
        Path plain = Files.write(directory.resolve("plain.raw"), QemuKind.content(SIZE));
        Path base = directory.resolve("base.qcow2");
        byte[] model = QemuKind.content(SIZE);
        luks.create(
                cipher("aes-128", "cbc", "plain64", "sha256") + ",cluster_size=4k",
                base,
                "-b",
                plain,
                "-F",
                "raw",
                SIZE);
        luks.io(base, false, "write -P 0x11 100000 50000", "write -P 0x12 300000 9000");
        Arrays.fill(model, 100_000, 150_000, (byte) 0x11);
        Arrays.fill(model, 300_000, 309_000, (byte) 0x12);
        byte[] before = Files.readAllBytes(base);
        luks.createByQemu(LUKS, image, "-b", base, "-F", "qcow2", SIZE);
        use(image, model, new Random(1));
        assertThat(Arrays.mismatch(luks.read(image, true), model)).isEqualTo(-1);
        luks.check(image, true);
        assertThat(Arrays.mismatch(Files.readAllBytes(base), before)).isEqualTo(-1);
    }

    @Test
    void an_encrypted_layer_below_a_plain_one_is_opened_by_the_same_passphrase() throws IOException {
        Path base = directory.resolve("base.qcow2");
        luks.create(LUKS, base, SIZE);
        luks.io(base, false, "write -P 0x11 100000 50000");
        byte[] model = new byte[SIZE];
        Arrays.fill(model, 100_000, 150_000, (byte) 0x11);
        QemuImg.run("create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", "-u", image, SIZE);
        use(image, model, new Random(2));
    }

    @Test
    void an_internal_snapshot_keeps_its_bytes_while_what_it_shares_is_overwritten_in_part() throws IOException {
        luks.create(LUKS, image, SIZE);
        byte[] model = new byte[SIZE];
        fillByQemu(model, 0x21, 0, 500_000);
        QemuImg.run("snapshot", "-c", "kept", "--object", luks.object(), "--image-opts", luks.options(image, false));
        byte[] kept = model.clone();
        use(image, model, new Random(3));
        try (Disk disk = open(OpenOptions.readWrite());
                NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
            Disk shown = ((Qcow2Image) disk).snapshots().get(0).disk();
            disk.write(1000, buffer.address(), 300_000);
            NativeBuffer.get(buffer.address(), model, 1000, 300_000);
            assertThat(Arrays.mismatch(TestDisk.read(shown, 0, SIZE, buffer), kept))
                    .isEqualTo(-1);
        }
        assertThat(Arrays.mismatch(luks.read(image, false), model)).isEqualTo(-1);
        assertThat(Arrays.mismatch(luks.read(image, false, "-l", "snapshot.name=kept"), kept))
                .isEqualTo(-1);
        luks.check(image, false);
        try (Disk disk = open(OpenOptions.readOnly().withSnapshot("kept"));
                NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
            assertThat(Arrays.mismatch(TestDisk.read(disk, 0, SIZE, buffer), kept))
                    .isEqualTo(-1);
        }
    }

    @Test
    void any_slot_opens_the_image_and_a_passphrase_that_was_taken_out_does_not() throws IOException {
        luks.createByQemu(LUKS, image, SIZE);
        Path other = Files.writeString(directory.resolve("other"), "battery staple");
        amend("encrypt.state=active,encrypt.new-secret=t,encrypt.iter-time=10", other);
        assertThat(opens(SECRET)).isTrue();
        assertThat(opens("battery staple")).isTrue();
        amend("encrypt.state=inactive,encrypt.old-secret=s", other);
        assertThat(opens(SECRET)).isFalse();
        assertThat(opens("battery staple")).isTrue();
    }

    private void amend(String options, Path other) {
        for (int i = 0; ; i++) {
            try {
                QemuImg.run(
                        "amend",
                        "-q",
                        "--object",
                        luks.object(),
                        "--object",
                        "secret,id=t,file=" + other,
                        "-o",
                        options,
                        "--image-opts",
                        luks.options(image, false));
                return;
            } catch (AssertionError e) {
                if (i == 20 || !String.valueOf(e.getMessage()).contains("accurate CPU usage")) {
                    throw e;
                }
            }
        }
    }

    private boolean opens(String passphrase) throws IOException {
        try (Passphrase secret = secret(passphrase)) {
            Images.open(image, OpenOptions.readOnly().withPassphrase(secret)).close();
            return true;
        } catch (Qcow2Exception e) {
            assertThat(e.kind()).isEqualTo(Qcow2Exception.Kind.NO_KEY);
            return false;
        }
    }

    private static Passphrase secret(String text) {
        return Passphrase.of(text.getBytes(StandardCharsets.UTF_8));
    }

    private Disk open(OpenOptions options) throws IOException {
        try (Passphrase secret = secret(SECRET)) {
            return Images.open(image, options.withPassphrase(secret));
        }
    }

    private void use(Path at, byte[] model, Random random) throws IOException {
        assertThat(at).isEqualTo(image);
        try (NativeBuffer buffer = NativeBuffer.allocate(SIZE)) {
            try (Disk disk = open(OpenOptions.readWrite().withCacheBytes(256 << 10))) {
                requireSame(disk, model, buffer);
                for (int i = 0; i < OPERATIONS; i++) {
                    step(disk, model, random, buffer);
                }
                requireSame(disk, model, buffer);
            }
            try (Disk disk = open(OpenOptions.readOnly())) {
                requireSame(disk, model, buffer);
            }
        }
    }

    private static void requireSame(Disk disk, byte[] model, NativeBuffer buffer) throws IOException {
        assertThat(Arrays.mismatch(TestDisk.read(disk, 0, model.length, buffer), model))
                .as("first byte that differs")
                .isEqualTo(-1);
    }

    private static void step(Disk disk, byte[] model, Random random, NativeBuffer buffer) throws IOException {
        int length = 1 + random.nextInt(random.nextInt(3) == 0 ? 400_000 : 3_000);
        int offset = random.nextInt(model.length - length + 1) & (random.nextBoolean() ? -512 : -1);
        switch (random.nextInt(6)) {
            case 0 -> {
                disk.writeZeroes(offset, length, random.nextBoolean());
                Arrays.fill(model, offset, offset + length, (byte) 0);
            }
            case 1 -> disk.allocate(offset, length);
            case 2 ->
                assertThat(TestDisk.read(disk, offset, length, buffer))
                        .isEqualTo(Arrays.copyOfRange(model, offset, offset + length));
            default -> {
                byte[] bytes = new byte[length];
                random.nextBytes(bytes);
                NativeBuffer.put(buffer.address(), bytes, 0, length);
                disk.write(offset, buffer.address(), length);
                System.arraycopy(bytes, 0, model, offset, length);
            }
        }
    }
}
