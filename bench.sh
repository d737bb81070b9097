#!/usr/bin/env bash
# Measures qfuse with fio, side by side with what bounds it and with its nearest relative:
#
#   limit  integration/src/bench/c/climit.c: a plain file through the same kernel protocol, as fast as C can
#   qfuse  a qcow2 image with the same disk
#   QEMU   a copy of that image through qemu-storage-daemon --export type=fuse, where it is installed
#
# The servers take turns in every round, so that a slow moment of the machine meets all of them; what is printed are
# medians over the rounds (and the lowest and the highest), and medians of the ratios of each round.
#
# Here stands the course of it. What is measured stands in integration/src/bench/sh/rows.sh, on which images in images.sh,
# by which servers in servers.sh, how in measure.sh, and on what machine in machine.sh.
set -euo pipefail

usage() {
    cat << 'END'
usage: ./bench.sh [options]                 compare the servers on plain images (minutes)
       ./bench.sh --full [options]          on all kinds of images (much longer)
       ./bench.sh --endurance [options]     many random requests to a fresh image, and what memory they take

  --quick           only plain images: what is done without --full and without --only
  --only WORDS      only the workloads whose names contain these words, such as "read, depth"; may be given several times
  --against NAMES   the other servers, of "limit,qsd" (default both)
  --qsd PATH        the qemu-storage-daemon (default the installed one, or $QEMU_STORAGE_DAEMON); may be given twice
  --time SECONDS    for each measurement (default 1; with --full 2)
  --rounds N        measurements of each kind (default 3)
  --size SIZE       of the disk (default 1G; with --endurance 8G); that of a large image is 1024 times as much
  --requests N      with --endurance: how many (default 20000000, an hour of 5500 a second)
  --dir DIR         where the images lie; there must be room for six of that size (default /dev/shm)
  --encrypted       a LUKS image (AES-256-XTS) instead, beside the same one unencrypted, both served by qfuse, and QEMU
  --transport NAME  that qfuse uses (default kernel)
  --json FILE       write every round, the machine and the versions to this file, too
  --plots DIR       measure also how a read's cost grows with the image, the chain and the queue, and draw it as SVG
END
}

# Prints a number of bytes for people.
iec() {
    numfmt --to=iec "$1"
}

fail() {
    echo "bench.sh: $*" >&2
    exit 1
}

cd "$(dirname "$(readlink -f "$0")")"
export LC_ALL=C # numbers have points
PATH=$PATH:/usr/sbin:/sbin
parts=integration/src/bench
for part in rows images servers measure machine; do
    # shellcheck source=/dev/null
    . "$parts/sh/$part.sh"
done

endurance=false
encrypted=false
quick=
against=limit,qsd
programs=()
seconds=
rounds=3
size=
requests=20000000
dir=/dev/shm
transport=kernel
only=
json=
plots=
while (($#)); do
    case $1 in
        --endurance) endurance=true ;;
        --encrypted) encrypted=true ;;
        --quick) quick=true ;;
        --full) quick=false ;;
        --help | -h) usage && exit ;;
        --time | --rounds | --size | --requests | --dir | --only | --transport | --against | --qsd | --json | --plots)
            (($# > 1)) || fail "$1 needs a value"
            case $1 in
                --time) seconds=$2 ;;
                --rounds) rounds=$2 ;;
                --size) size=$2 ;;
                --requests) requests=$2 ;;
                --dir) dir=$2 ;;
                --only) only+=${only:+$'\n'}$2 ;;
                --transport) transport=$2 ;;
                --against) against=$2 ;;
                --qsd) programs+=("$2") ;;
                --json) json=$(cd "$OLDPWD" && realpath -m "$2") ;;
                --plots) plots=$(cd "$OLDPWD" && realpath -m "$2") ;;
            esac
            shift
            ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done
if [[ -z $quick ]]; then quick=$([[ -z $only ]] && echo true || echo false); fi
if [[ -z $seconds ]]; then seconds=$($quick && echo 1 || echo 2); fi
if [[ -z $size ]]; then size=$($endurance && echo 8G || echo 1G); fi
size=$(numfmt --from=iec "$size") || fail "--size is a number of bytes, or one with K, M, G or T"
[[ $rounds$requests =~ ^[0-9]+$ ]] || fail "--rounds and --requests are whole numbers"
[[ $seconds =~ ^[0-9]+(\.[0-9]+)?$ ]] || fail "--time is a number of seconds"
if [[ -n $json ]]; then : > "$json" || fail "--json $json cannot be written"; fi
if [[ -n $plots ]]; then mkdir -p "$plots"; fi
runtime=$(awk -v s="$seconds" 'BEGIN { printf "%d", s * 1000 }')ms
[[ ,$against =~ ^(,limit|,qsd)+$ ]] || fail "--against takes limit, qsd or limit,qsd"
chosen > /dev/null || fail "--only $only: no workload has that in its name"
[[ $(id -u) == 0 ]] || fail "has to run as root: the limit server mounts by itself"
for tool in fio gcc qemu-img qemu-io fusermount3 awk; do
    command -v "$tool" > /dev/null || fail "$tool is not installed"
done
workers=$(($(nproc) > 2 ? $(nproc) : 2))
if ((workers > 64)); then workers=64; fi

work=$(mktemp -d "$dir/qfuse-bench.XXXXXX")
work=$(realpath "$work")
secret=(--object "secret,id=s,file=$work/secret")
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
choose_engine
version=$(./qfuse --version) # builds it first, where that is to do

# Sets peers to the names of the servers that are compared.
find_peers() {
    local program name
    if $encrypted; then
        peers=(plain)
    elif [[ $against == *limit* ]]; then
        peers=(limit)
    fi
    peers+=(qfuse)
    [[ $against == *qsd* ]] || return 0
    if ((!${#programs[@]})); then programs=("${QEMU_STORAGE_DAEMON:-qemu-storage-daemon}"); fi
    for program in "${programs[@]}"; do
        if ! command -v "$program" > /dev/null; then
            echo "bench.sh: $program is not installed; going on without it" >&2
            continue
        fi
        name=QEMU
        if ((${#programs[@]} > 1)); then name+=-$(qemu_version "$program"); fi
        if [[ -n ${qsd[$name]:-} ]]; then fail "two programs have the version $name"; fi
        qsd[$name]=$program
        probe_qemu "$name"
        peers+=("$name")
    done
}

# Makes the scene $1 for the servers that follow, and starts them.
set_up() {
    local scene=$1 name
    shift
    copy_images "$@"
    for name in "$@"; do
        start "$name" "$scene"
        warm "$name" "$scene"
    done
}

# Measures the row of the scene $1 with the name $2, the unit $3, the way $4 and the options $5, by each server in turn.
measure_row() {
    local name value
    for name in "${peers[@]}"; do
        if fresh "$1"; then set_up "$1" "$name"; fi
        measure "$name" "$1" "$3" "$4" "$5"
        echo "$1|$2|$3|$name|$round|$value" >> "$work/results"
        if fresh "$1"; then stop "$name"; fi
    done
}

measure_scene() {
    local scene=$1 rows row name
    mapfile -t rows < <(chosen | grep "^$scene|")
    echo "bench.sh: $scene: its images" >&2
    make_scene "$scene"
    if ! fresh "$scene"; then set_up "$scene" "${peers[@]}"; fi
    for ((round = 1; round <= rounds; round++)); do
        echo "bench.sh: $scene: round $round of $rounds" >&2
        for row in "${rows[@]}"; do
            IFS='|' read -r _ name unit how options <<< "$row"
            measure_row "$scene" "$name" "$unit" "$how" "$options"
        done
    done
    if [[ $scene == plain ]]; then measure_heap >> "$work/notes"; fi
    if ! fresh "$scene"; then
        for name in "${peers[@]}"; do stop "$name"; done
    fi
    remove_scene
}

measure_heap() {
    local kind before result
    for kind in randread randwrite; do
        before=$(allocated)
        result=$(run_fio "${target[qfuse]}" --time_based --runtime="$runtime" --size="$size" --rw=$kind --bs=4k --iodepth=32)
        per_request "4 KiB $kind" $((${result%% *} / 4)) "$before" "$(allocated)"
    done
    echo "- memory of the qfuse server: $(memory qfuse VmRSS) MiB resident, at most $(memory qfuse VmHWM) MiB"
}

compare() {
    local scene reason file name
    watch_machine
    find_peers
    touch "$work/notes"
    for scene in $(scenes); do measure_scene "$scene"; done

    warnings > "$work/warnings"
    describe "$rounds rounds of $seconds s, $(iec "$size") disk, clusters 64k$($encrypted && echo ", LUKS with AES-256-XTS")"
    echo
    if [[ -s $work/warnings ]]; then
        echo "**The machine was too busy to trust this:**"
        echo
        while read -r reason; do echo "- $reason"; done < "$work/warnings"
        echo
    fi
    awk -F'|' -v servers="${peers[*]}" -f "$parts/awk/table.awk" "$work/results"
    echo
    cat "$work/notes"
    if [[ -n $json ]]; then
        facts > "$work/facts"
        echo "rounds|$rounds of $seconds s, disk of $size bytes" >> "$work/facts"
        awk -F'|' -f "$parts/awk/json.awk" "$work/facts" "$work/warnings" "$work/results" > "$json"
    fi
    if [[ -n $plots ]]; then
        plots | while IFS='|' read -r file name; do
            awk -F'|' -v name="$name" -v file="$plots/$file.svg" -f "$parts/awk/plot.awk" "$work/results"
        done
    fi
}

endure() {
    local part before made=0 all=0 tenths=10 iops result
    peers=(qfuse)
    backing=()
    qemu-img create -q -f qcow2 "$work/qfuse.qcow2" "$size"
    start qfuse plain
    describe "$(iec "$size") disk, clusters 64k, nothing allocated at first; 4 KiB requests at random, 70 % reads, depth 32"
    echo
    echo "| requests so far | requests/s | resident MiB | highest MiB |"
    echo "|---|---|---|---|"
    before=$(allocated)
    for ((part = 1; part <= tenths; part++)); do
        result=$(run_fio "${target[qfuse]}" --size="$size" --io_size=$((requests / tenths * 4))k \
            --rw=randrw --rwmixread=70 --bs=4k --iodepth=32)
        read -r made iops _ <<< "$result"
        all=$((all + made / 4))
        echo "| $all | $iops | $(memory qfuse VmRSS) | $(memory qfuse VmHWM) |"
    done
    echo
    per_request "4 KiB request" "$all" "$before" "$(allocated)"
    mv "$work/qfuse.qcow2" "$work/kept.qcow2"
    stop qfuse
    qemu-img check "$work/kept.qcow2" | sed -n '1s/^/- qemu-img check: /p'
}

if $endurance; then endure; else compare; fi
