package io.qfuse.fuse.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.qfuse.fuse.Errno;
import io.qfuse.fuse.ErrnoException;
import io.qfuse.fuse.ImageFileSystem;
import io.qfuse.fuse.MemoryDisk;
import io.qfuse.fuse.MountReport;
import io.qfuse.fuse.Permissions;
import io.qfuse.fuse.ServedImage;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Requests as bytes in, replies as bytes out. */
final class OperationsTest {

    private static final int BODY = Protocol.OUT_HEADER;
    private static final int WRITE_DATA = Protocol.IN_HEADER + Protocol.WRITE_BODY;
    private static final int MIB = 1 << 20;

    private final MemoryDisk disk = new MemoryDisk(2 * MIB, true);
    private final ImageFileSystem files = ImageFileSystem.directory(
            List.of(ServedImage.of(disk, Path.of("/x/disk.qcow2"))), new Permissions(1, 2, 0600, 0755));
    private final PageBuffer request = new PageBuffer(WRITE_DATA, Protocol.MAX_IO + 8192);
    private final PageBuffer reply = new PageBuffer(Protocol.OUT_HEADER, Protocol.MAX_IO);
    private final ByteBuffer in = request.bytes();
    private final ByteBuffer out = reply.bytes();
    private final Negotiated negotiated = new Negotiated(false);
    private final Operations operations = new Operations(files, negotiated, Message.of(request, reply));

    @Test
    void data_lie_on_page_borders() {
        assertThat((request.address() + WRITE_DATA) % 4096).isZero();
        assertThat((reply.address() + Protocol.OUT_HEADER) % 4096).isZero();
        assertThat(in.capacity()).isEqualTo(WRITE_DATA + Protocol.MAX_IO + 8192);
    }

    @Test
    void init_takes_what_is_offered_and_wanted() throws Exception {
        in.putInt(40, 7).putInt(44, 39).putInt(48, 131072).putInt(52, -1);
        assertThat(operations.serve(26, 0)).isEqualTo(64);
        assertThat(out.getInt(BODY)).isEqualTo(7);
        assertThat(out.getInt(BODY + 8)).isEqualTo(131072);
        int flags = out.getInt(BODY + 12);
        assertThat(flags).isEqualTo(1 | 1 << 5 | 1 << 15 | 1 << 18 | 1 << 19 | 1 << 21 | 1 << 22);
        assertThat(flags & 1 << 16).as("no write-back cache").isZero();
        assertThat(out.getInt(BODY + 20)).isEqualTo(MIB);
        assertThat(out.getShort(BODY + 28)).isEqualTo((short) 256);
        in.putInt(52, 1);
        operations.serve(26, 0);
        assertThat(out.getInt(BODY + 12)).isEqualTo(1);
    }

    @Test
    void rings_are_taken_only_where_both_sides_want_them() throws Exception {
        in.putInt(40, 7).putInt(44, 42).putInt(52, -1).putInt(56, -1);
        operations.serve(26, 0);
        assertThat(out.getInt(BODY + 32)).isZero();
        var wanting = new Negotiated(true);
        var other = new Operations(files, wanting, Message.of(request, reply));
        other.serve(26, 0);
        assertThat(out.getInt(BODY + 12) & 1 << 30).as("there are more flags").isNotZero();
        assertThat(out.getInt(BODY + 32)).isEqualTo(1 << 9);
        assertThat(wanting.overRings()).isTrue();
        in.putInt(52, ~(1 << 30));
        other.serve(26, 0);
        assertThat(out.getInt(BODY + 32)).as("the kernel has no more flags").isZero();
        assertThat(wanting.overRings()).isFalse();
    }

    @Test
    void another_major_version_is_refused() {
        in.putInt(40, 8);
        assertErrno(Errno.EINVAL, 26, 0);
        assertThat(negotiated.done()).isFalse();
    }

    @Test
    void lookup_answers_with_an_entry() throws Exception {
        putName("disk.raw");
        assertThat(operations.serve(1, 1)).isEqualTo(128);
        assertThat(out.getLong(BODY)).isEqualTo(2);
        assertThat(out.getLong(BODY + 40 + 8)).isEqualTo(2 * MIB);
        assertThat(out.getInt(BODY + 40 + 60)).isEqualTo(0100600);
        assertThat(out.getInt(BODY + 40 + 64)).isEqualTo(1);
        assertThat(out.getInt(BODY + 40 + 68)).isEqualTo(1);
        assertThat(out.getInt(BODY + 40 + 72)).isEqualTo(2);
        putName("disk.ra");
        assertErrno(Errno.ENOENT, 1, 1);
    }

    @Test
    void write_and_read_carry_bytes() throws Exception {
        in.putLong(48, 12345).putInt(56, 6);
        in.put(80, new byte[] {1, 2, 3, 4, 5, 6});
        assertThat(operations.serve(16, 2)).isEqualTo(8);
        assertThat(out.getInt(BODY)).isEqualTo(6);
        in.putLong(48, 12347).putInt(56, 3);
        assertThat(operations.serve(15, 2)).isEqualTo(3);
        byte[] read = new byte[3];
        out.get(BODY, read);
        assertThat(read).containsExactly(3, 4, 5);
    }

    @Test
    void sizes_beyond_the_buffers_are_refused() {
        in.putLong(48, 0).putInt(56, MIB + 1);
        assertErrno(Errno.EINVAL, 15, 2);
        in.putInt(56, -1);
        assertErrno(Errno.EINVAL, 16, 2);
        assertErrno(Errno.EINVAL, 28, 1);
    }

    @Test
    void open_bypasses_the_cache_only_where_both_sides_want_it() throws Exception {
        int direct = System.getProperty("os.arch").equals("aarch64") ? 0200000 : 040000;
        negotiated.kernelMinor(39);
        assertThat(openFlags(2)).isEqualTo(2);
        assertThat(openFlags(2 | direct)).isEqualTo(1 | 2 | 1 << 6);
        negotiated.kernelMinor(36);
        assertThat(openFlags(2 | direct)).isEqualTo(2);
    }

    private int openFlags(int flags) throws Exception {
        in.putInt(40, flags);
        assertThat(operations.serve(14, 2)).isEqualTo(16);
        return out.getInt(BODY + 8);
    }

    @Test
    void setattr_changes_what_is_marked_and_nothing_else() throws Exception {
        in.putInt(40, 1 | 1 << 2 | 1 << 3)
                .putLong(56, MIB)
                .putInt(108, 0100644)
                .putInt(116, 77)
                .putInt(120, 88);
        assertThat(operations.serve(4, 2)).isEqualTo(104);
        assertThat(disk.size()).isEqualTo(MIB);
        assertThat(out.getLong(BODY + 16 + 8)).isEqualTo(MIB);
        assertThat(out.getInt(BODY + 16 + 60)).isEqualTo(0100644);
        assertThat(out.getInt(BODY + 16 + 68)).isEqualTo(1);
        assertThat(out.getInt(BODY + 16 + 72)).isEqualTo(88);
    }

    @Test
    void directory_is_listed_in_as_many_pieces_as_it_takes() throws Exception {
        List<String> names = new ArrayList<>();
        long at = 0;
        for (int length; (length = list(at, 40)) > 0; ) {
            assertThat(length).isLessThanOrEqualTo(40);
            byte[] name = new byte[out.getInt(BODY + 16)];
            out.get(BODY + 24, name);
            names.add(new String(name, StandardCharsets.UTF_8));
            at = out.getLong(BODY + 8);
        }
        assertThat(names).containsExactly(".", "..", "disk.raw");
        assertThat(list(0, 4096)).isEqualTo(32 + 32 + 32);
    }

    private int list(long at, int size) throws Exception {
        in.putLong(48, at).putInt(56, size);
        return operations.serve(28, 1);
    }

    @Test
    void fallocate_and_lseek_find_their_fields() throws Exception {
        disk.fill(0, new byte[8192]);
        in.putLong(48, 4096).putLong(56, MIB).putInt(64, 3);
        assertThat(operations.serve(43, 2)).isZero();
        in.putLong(48, 0).putInt(56, 4);
        assertThat(operations.serve(46, 2)).isEqualTo(8);
        assertThat(out.getLong(BODY)).isEqualTo(4096);
    }

    @Test
    void the_report_is_for_root_and_the_mounting_user_alone() throws Exception {
        in.putInt(52, ReportCall.COMMAND).putInt(68, ReportCall.MOST_BYTES);
        for (int user : new int[] {0, KernelMount.uid()}) {
            in.putInt(24, user);
            int length = operations.serve(39, 1);
            byte[] text = new byte[out.getInt(BODY)];
            out.get(BODY + 16, text);
            assertThat(length).isEqualTo(16 + text.length);
            assertThat(MountReport.parse(text).values()).containsEntry("checkpoints.count", 0L);
        }
        in.putInt(24, KernelMount.uid() + 4711);
        assertErrno(Errno.EACCES, 39, 1);
        in.putInt(24, 0).putInt(68, 10);
        assertErrno(Errno.EINVAL, 39, 1);
        in.putInt(52, ReportCall.COMMAND + 1);
        assertErrno(Errno.ENOTTY, 39, 1);
    }

    @Test
    void forgetting_and_interrupting_get_no_reply() throws Exception {
        for (int opcode : new int[] {2, 42, 36}) {
            assertThat(operations.serve(opcode, 2)).isEqualTo(Operations.NO_REPLY);
        }
    }

    @Test
    void unknown_operations_are_refused_as_unknown() {
        for (int opcode : new int[] {0, 5, 21, 22, 47, 4096, -1}) {
            assertErrno(Errno.ENOSYS, opcode, 1);
        }
    }

    @Test
    void names_are_not_made_changed_or_removed() {
        for (int opcode : new int[] {6, 8, 9, 10, 11, 12, 13, 35, 45}) {
            assertErrno(Errno.EPERM, opcode, 1);
        }
    }

    private void putName(String name) {
        byte[] bytes = (name + "\0junk").getBytes(StandardCharsets.UTF_8);
        in.putInt(0, 40 + bytes.length);
        in.put(40, bytes);
    }

    private void assertErrno(int errno, int opcode, long node) {
        assertThatExceptionOfType(ErrnoException.class)
                .isThrownBy(() -> operations.serve(opcode, node))
                .satisfies(e -> assertThat(e.errno()).isEqualTo(errno));
    }
}
