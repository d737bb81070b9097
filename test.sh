#!/usr/bin/env bash
# Runs every test: installs the tools that they need, then builds and tests on a JDK 25 where one is installed, and on
# JDK 17 with the tests that need root, mounts and qemu. A missing tool is a failure, never a skipped test.
#
#   ./test.sh          all tests, and a minute of fuzzing
#   ./test.sh --long   the same, with the long forms of the random and the crash tests and a quarter of an hour of fuzzing
set -euo pipefail

# A shell's background jobs ignore SIGINT, and so would the servers that tests interrupt.
if [[ -z ${QFUSE_TEST_SIGNALS:-} ]]; then
    QFUSE_TEST_SIGNALS=default exec env --default-signal=INT,QUIT,HUP,TERM,PIPE "$0" "$@"
fi
cd "$(dirname "$(readlink -f "$0")")"

fail() {
    echo "test.sh: $*" >&2
    exit 1
}

long=false
case ${1:-} in
    '') ;;
    --long) long=true ;;
    *) fail "unknown option $1; the only one is --long" ;;
esac

# --- the tools --------------------------------------------------------------------------------------------------------

# What has to be there, and the Debian packages that bring it; the first of them that exists is taken.
needs() {
    cat << 'END'
jdk     17                   openjdk-17-jdk-headless
command mvn                  maven
command qemu-img             qemu-utils
command qemu-io              qemu-utils
command qemu-storage-daemon  qemu-system-common
command fusermount3          fuse3
library libfuse.so.2         libfuse2 libfuse2t64
library libdeflate.so.0      libdeflate0
command fdisk                fdisk
command sfdisk               fdisk
command losetup              mount
command mkfs.ext4            e2fsprogs
command mkfs.xfs             xfsprogs
command fio                  fio
command setpriv              util-linux
command gcc                  gcc
header stdio.h               libc6-dev
header linux/fuse.h          linux-libc-dev
END
}

# Prints the home of a JDK of version $1, nothing where there is none.
jdk() {
    local home
    for home in "${JAVA_HOME:-/nowhere}" /usr/lib/jvm/*; do
        if [[ -x $home/bin/javac ]] && grep -qs "^JAVA_VERSION=\"$1[.\"]" "$home/release"; then
            echo "$home"
            return
        fi
    done
}

present() {
    case $1 in
        command) command -v "$2" > /dev/null ;;
        library) [[ $(ldconfig -p) == *"$2"* ]] ;;
        jdk) [[ -n $(jdk "$2") ]] ;;
        header) [[ -e /usr/include/$2 ]] ;;
    esac
}

missing() {
    local kind name packages
    while read -r kind name packages; do
        present "$kind" "$name" || echo "$kind $name $packages"
    done < <(needs)
}

install_missing() {
    local kind name packages package
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update || echo "test.sh: apt-get update failed; going on with what is known" >&2
    while read -r kind name packages; do
        present "$kind" "$name" && continue
        for package in $packages; do
            if apt-get -q install -y --no-install-recommends "$package" < /dev/null; then
                break
            fi
        done
    done < <(missing)
}

PATH=$PATH:/usr/sbin:/sbin
[[ $(id -u) == 0 ]] || fail "has to run as root, for mounts and loop devices; 'mvn verify' runs what needs neither"
if [[ -n $(missing) ]] && command -v apt-get > /dev/null; then
    install_missing
fi
if [[ -n $(missing) ]]; then
    missing | while read -r kind name packages; do
        echo "test.sh: $kind $name is missing and could not be installed (Debian package: $packages)" >&2
    done
    exit 1
fi

[[ -e /dev/fuse ]] || modprobe fuse 2> /dev/null || true
[[ -e /dev/fuse ]] || fail "/dev/fuse is missing: the kernel needs the fuse module"
[[ -e /dev/loop-control ]] || modprobe loop 2> /dev/null || true
[[ -e /dev/loop-control ]] || fail "/dev/loop-control is missing: the kernel needs the loop module"
chmod 0666 /dev/fuse # as udev does; without it no ordinary user can mount

# --- the run ----------------------------------------------------------------------------------------------------------

# Everything that the tests start has this directory in its environment and works in it: so leftovers are told apart.
scratch=$(mktemp -d /tmp/qfuse-tests.XXXXXX)
chmod 0755 "$scratch"
export TMPDIR=$scratch
trap 'rm -rf --one-file-system "$scratch"' EXIT

leftovers() {
    grep -F "$scratch" /proc/self/mountinfo | sed 's/^/mount: /' || true
    grep -F "$scratch" /sys/block/loop*/loop/backing_file 2> /dev/null | sed 's/^/loop device: /' || true
    local environment pid
    for environment in /proc/[0-9]*/environ; do
        pid=${environment//[!0-9]/}
        if [[ $pid != "$$" && $pid != "$BASHPID" ]] && grep -qsF "$scratch" "$environment"; then
            echo "process $pid: $(tr '\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null || true)"
        fi
    done
    find "$scratch" -mindepth 1 -maxdepth 1 -printf 'file: %p\n'
}

# Counts the tests of the last run from the reports of the modules.
tests_run() {
    cat ./*/target/surefire-reports/TEST-*.xml 2> /dev/null | grep -A20 '<testsuite ' | grep -o ' tests="[0-9]*"' \
        | tr -dc '0-9\n' | awk '{ n += $1 } END { print n + 0 }'
}

verify() {
    local home=$1
    shift
    rm -rf ./*/target/surefire-reports
    JAVA_HOME=$home mvn -B --no-transfer-progress "-Dtests.tmpdir=$scratch" "$@" verify < /dev/null
}

SECONDS=0
jdk25=$(jdk 25)
jdk17=$(jdk 17)
summary=
if [[ -n $jdk25 ]]; then
    verify "$jdk25"
    summary="JDK 25: $(tests_run) tests that need neither root nor qemu; "
else
    summary="no JDK 25 found; "
fi
verify "$jdk17" -Dexcluded.tests=none "-Dqfuse.long=$long"
summary+="JDK 17: $(tests_run) tests, those with mounts, loop devices and qemu among them"

left=$(leftovers)
if [[ -n $left ]]; then
    echo "$left" >&2
    fail "the tests left something behind (see above)"
fi

echo "test.sh: all passed in $((SECONDS / 60)) min $((SECONDS % 60)) s, nothing left behind"
echo "test.sh: $summary; long forms: $long"
