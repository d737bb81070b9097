package io.qfuse.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.qfuse.qcow2.CreateOptions;
import io.qfuse.qcow2.Disk;
import io.qfuse.qcow2.DiskMap;
import io.qfuse.qcow2.Images;
import io.qfuse.qcow2.OpenOptions;
import io.qfuse.qcow2.io.NativeBuffer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A disk of 8 MiB above an image: 1 MiB stored in each, the upper at 2 MiB, the lower at 0, and one that became zeroes at 3 MiB. */
class MapTest {

    private static final int MIB = 1 << 20;

    @TempDir
    private Path directory;

    private Path image = Path.of("set below");

    @BeforeEach
    void create() throws IOException {
        Path base = directory.resolve("base.qcow2");
        image = directory.resolve("a & b.qcow2");
        Images.create(base, CreateOptions.parse(List.of("size=4M")));
        Images.create(image, CreateOptions.parse(List.of("size=8M,backing_file=base.qcow2,backing_fmt=qcow2")));
        write(base, 0, new byte[MIB]);
        write(base, 3 * MIB, new byte[MIB]);
        byte[] mbr = new byte[512];
        ByteBuffer.wrap(mbr)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(446 + 4, (byte) 0x83)
                .putInt(446 + 8, 4096)
                .putInt(446 + 12, 4096)
                .putShort(510, (short) 0xaa55);
        write(base, 0, mbr);
        write(image, 2 * MIB, new byte[MIB]);
        try (Disk disk = Images.open(image, OpenOptions.readWrite())) {
            disk.writeZeroes(3 * MIB, MIB, true);
        }
    }

    @Test
    void the_list_for_programs_is_qemus() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (DiskMap map = Images.map(image, OpenOptions.readOnly())) {
            MapJson json = new MapJson(out);
            map.walk(0, map.size(), json);
            json.finish();
        }
        assertThat(out.toString(UTF_8).replaceAll("\"offset\": \\d+", "\"offset\": N"))
                .isEqualTo("""
                        [{ "start": 0, "length": 1048576, "depth": 1, "present": true, "zero": false, "data": true, "compressed": false, "offset": N},
                        { "start": 1048576, "length": 1048576, "depth": 1, "present": false, "zero": true, "data": false, "compressed": false},
                        { "start": 2097152, "length": 1048576, "depth": 0, "present": true, "zero": false, "data": true, "compressed": false, "offset": N},
                        { "start": 3145728, "length": 1048576, "depth": 0, "present": true, "zero": true, "data": false, "compressed": false},
                        { "start": 4194304, "length": 4194304, "depth": 0, "present": false, "zero": true, "data": false, "compressed": false}]
                        """);
    }

    @Test
    void the_table_for_people_has_qemus_columns_and_sums() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (DiskMap map = Images.map(image, OpenOptions.readOnly())) {
            MapTable table = new MapTable(map, out);
            map.walk(0, map.size(), table);
            table.finish();
        }
        assertThat(out.toString(UTF_8).lines())
                .anyMatch(line -> line.matches("Offset {10}Length {10}Mapped to {7}File"))
                .anyMatch(line -> line.matches("0 {15}0x100000 {8}0x[0-9a-f]+ +.*/base.qcow2"))
                .anyMatch(line -> line.matches("0x200000 {8}0x100000 {8}0x[0-9a-f]+ +.*/a & b.qcow2"))
                .contains("1 MiB known to be zeroes, 5 MiB never written; 2 stored extents");
    }

    @Test
    void long_numbers_and_texts_pass_the_buffer_whole() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        AsciiBuffer buffer = new AsciiBuffer(out);
        StringBuilder expected = new StringBuilder();
        Random random = new Random(1);
        for (int i = 0; i < 20_000; i++) {
            long number = random.nextLong() >>> (1 + random.nextInt(63));
            buffer.decimal(number);
            buffer.put(' ');
            buffer.hex(number, 5);
            buffer.put(AsciiBuffer.bytes(",\n"));
            String hex = number == 0 ? "0" : "0x" + Long.toHexString(number);
            expected.append(number)
                    .append(' ')
                    .append(String.format("%-5s", hex))
                    .append(",\n");
        }
        buffer.flush();
        assertThat(out.toString(UTF_8)).isEqualTo(expected.toString());
    }

    @Test
    void pictures_show_layers_zeroes_and_partitions() throws IOException {
        Partitions partitions = Partitions.of(image, true);
        assertThat(partitions.list()).containsExactly(new Partitions.Partition(1, "type 83", 2 * MIB, 4 * MIB));
        try (DiskMap map = Images.map(image, OpenOptions.readOnly())) {
            MapGrid grid = MapGrid.of(map, 16);
            assertThat(List.of(grid.kind(0), grid.kind(2), grid.kind(4), grid.kind(6), grid.kind(8)))
                    .containsExactly(1, -1, 0, MapGrid.ZEROES, -1);
            assertThat(grid.share(4)).isEqualTo(1);
            String plain = MapPicture.of(MapGrid.of(map, 1280), map, partitions, false);
            assertThat(plain).contains("####").contains("<1").contains(">1").doesNotContain("\u001b");
            assertThat(MapPicture.of(grid, map, partitions, true)).contains("\u001b[34m");
            String svg = MapSvg.of(grid, map, partitions);
            assertThat(svg)
                    .startsWith("<svg ")
                    .endsWith("</svg>\n")
                    .contains("a &amp; b.qcow2", "partition 1: type 83");
            assertThat(MapHtml.of(svg, grid, map, partitions)).contains("never written", "5 MiB", svg);
        }
    }

    private static void write(Path path, long offset, byte[] bytes) throws IOException {
        try (Disk disk = Images.open(path, OpenOptions.readWrite());
                NativeBuffer buffer = NativeBuffer.allocate(bytes.length)) {
            NativeBuffer.put(buffer.address(), bytes, 0, bytes.length);
            disk.write(offset, buffer.address(), bytes.length);
        }
    }
}
