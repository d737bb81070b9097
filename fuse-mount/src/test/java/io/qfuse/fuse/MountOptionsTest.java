package io.qfuse.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.qfuse.fuse.MountOptions.AllowOther;
import io.qfuse.qcow2.HostAccess;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class MountOptionsTest {

    private static final MountOptions DEFAULTS = MountOptions.defaults();

    @Test
    void defaults_are_writable_and_without_devices_and_set_uid_programs() {
        assertThat(DEFAULTS.readOnly()).isFalse();
        assertThat(DEFAULTS.flagBits()).isEqualTo(2 | 4);
        assertThat(DEFAULTS.allowOther()).isEqualTo(AllowOther.AUTO);
        assertThat(DEFAULTS.workerCount()).isGreaterThanOrEqualTo(2);
        var process = new HostAccess(5, 6, 0600);
        assertThat(DEFAULTS.permissions(process, Optional.empty())).isEqualTo(new Permissions(5, 6, 0600, 0755));
        assertThat(DEFAULTS.permissions(process, Optional.of(new HostAccess(7, 8, 0100755))))
                .isEqualTo(new Permissions(7, 8, 0644, 0755));
    }

    @Test
    void words_set_and_clear_and_the_last_one_counts() {
        MountOptions options = DEFAULTS.withWords("ro,noexec,suid,dev,sync,,dirsync,noatime,async,rw,ro");
        assertThat(options.flags())
                .containsExactlyInAnyOrder(MountFlag.RDONLY, MountFlag.NOEXEC, MountFlag.DIRSYNC, MountFlag.NOATIME);
        assertThat(options.flagBits()).isEqualTo(1 | 8 | 128 | 1024);
    }

    @Test
    void words_with_values_are_taken() {
        MountOptions options = DEFAULTS.withWords(
                "uid=7,gid=8,umask=0027,fsname=a\\,b,subtype=x,allow_other,default_permissions,defaults");
        assertThat(options.permissions(new HostAccess(0, 0, 0600), Optional.of(new HostAccess(1, 2, 0444))))
                .isEqualTo(new Permissions(7, 8, 0640, 0750));
        assertThat(options.fsName()).isEqualTo("a,b");
        assertThat(options.subtype()).isEqualTo("qfuse.x");
        assertThat(options.allowOther()).isEqualTo(AllowOther.ON);
        assertThat(options.defaultPermissions()).isTrue();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "cache|mount option 'cache': unknown",
                "cache=yes|mount option 'cache=yes': unknown",
                "ro=1|mount option 'ro=1': unknown",
                "uid|mount option 'uid': needs a value, as in uid=…",
                "uid=root|mount option 'uid=root': not a number",
                "gid=-1|mount option 'gid=-1': not a number",
                "umask=8|mount option 'umask=8': not an octal number",
                "umask=1000|mount option 'umask=1000': more than 0777",
                "fsname=|mount option 'fsname=': empty",
                "ro,allow_root|mount option 'allow_root': not supported; allow_other lets root in, and umask= others out",
            })
    void unknown_and_wrong_words_are_refused_by_name(String words, String message) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> DEFAULTS.withWords(words))
                .withMessage(message);
    }

    @Test
    void number_of_workers_has_bounds() {
        assertThat(DEFAULTS.withWorkers(3).workerCount()).isEqualTo(3);
        assertThatIllegalArgumentException().isThrownBy(() -> DEFAULTS.withWorkers(-1));
        assertThatIllegalArgumentException().isThrownBy(() -> DEFAULTS.withWorkers(257));
    }
}
