#!/usr/bin/env bash
# Measures qfuse with fio, side by side with what bounds it and with its nearest relative:
#
#   limit  integration/src/bench/c/climit.c: a plain file through the same kernel protocol, as fast as C can
#   qfuse  a fully allocated qcow2 image of the same size
#   QEMU   a copy of that image through qemu-storage-daemon --export type=fuse, where it is installed
#
# Workloads of zlib and zstd read images that qemu-img has compressed, of contents like a disk's: programs, text, noise and
# nothing. Their limit is the plain file all the same.
#
# The servers take turns in every round, so that a slow moment of the machine meets all of them; what is printed are
# medians over the rounds (and the lowest and the highest), and medians of the ratios of each round.
set -euo pipefail

usage() {
    cat << 'END'
usage: ./bench.sh [options]                 compare the servers (about 4 minutes)
       ./bench.sh --endurance [options]     many random requests to a fresh image, and what memory they take

  --time SECONDS    for each measurement (default 2)
  --rounds N        measurements of each kind (default 3)
  --size SIZE       of the disk (default 1G; with --endurance 8G)
  --requests N      with --endurance: how many (default 20000000, an hour of 5500 a second)
  --dir DIR         where the images lie; there must be room for six of that size (default /dev/shm)
  --encrypted       a LUKS image (AES-256-XTS) instead, beside the same one unencrypted, both served by qfuse, and QEMU
  --only WORDS      only the workloads whose names contain these words, such as "read, depth"
  --transport NAME  that qfuse uses (default kernel)
END
}

fail() {
    echo "bench.sh: $*" >&2
    exit 1
}

# name | unit | fio options
workloads() {
    cat << 'END'
4 KiB random read, depth 1|IOPS|--rw=randread --bs=4k --iodepth=1
4 KiB random read, depth 32|IOPS|--rw=randread --bs=4k --iodepth=32
4 KiB random read, 4 jobs|IOPS|--rw=randread --bs=4k --iodepth=1 --numjobs=4
4 KiB random write, depth 1|IOPS|--rw=randwrite --bs=4k --iodepth=1
4 KiB random write, depth 32|IOPS|--rw=randwrite --bs=4k --iodepth=32
1 MiB sequential read, depth 1|MB/s|--rw=read --bs=1M --iodepth=1
1 MiB sequential read, depth 4|MB/s|--rw=read --bs=1M --iodepth=4
1 MiB sequential write, depth 1|MB/s|--rw=write --bs=1M --iodepth=1
1 MiB sequential write, depth 4|MB/s|--rw=write --bs=1M --iodepth=4
compressed by zlib, 1 MiB sequential read, depth 1|MB/s|--rw=read --bs=1M --iodepth=1
compressed by zlib, 1 MiB sequential read, depth 4|MB/s|--rw=read --bs=1M --iodepth=4
compressed by zlib, 4 KiB random read, depth 32|IOPS|--rw=randread --bs=4k --iodepth=32
compressed by zstd, 1 MiB sequential read, depth 1|MB/s|--rw=read --bs=1M --iodepth=1
compressed by zstd, 1 MiB sequential read, depth 4|MB/s|--rw=read --bs=1M --iodepth=4
compressed by zstd, 4 KiB random read, depth 32|IOPS|--rw=randread --bs=4k --iodepth=32
END
}

# The workloads that are asked for: compressed images are not encrypted.
chosen() {
    workloads | grep -F -- "$only" | if $encrypted; then grep -v '^compressed'; else cat; fi
}

# The compressions that the workloads are about.
kinds() {
    local name
    chosen | while IFS='|' read -r name _; do compression "$name"; done
}

# The compression that the workload $1 is about, if any.
compression() {
    case $1 in
        "compressed by zlib"*) echo zlib ;;
        "compressed by zstd"*) echo zstd ;;
    esac
}

cd "$(dirname "$(readlink -f "$0")")"
PATH=$PATH:/usr/sbin:/sbin

endurance=false
encrypted=false
first=limit
seconds=2
rounds=3
size=
requests=20000000
dir=/dev/shm
transport=kernel
only=
while (($#)); do
    case $1 in
        --endurance) endurance=true ;;
        --encrypted)
            encrypted=true
            first=plain
            ;;
        --help | -h) usage && exit ;;
        --time | --rounds | --size | --requests | --dir | --only | --transport)
            (($# > 1)) || fail "$1 needs a value"
            case $1 in
                --time) seconds=$2 ;;
                --rounds) rounds=$2 ;;
                --size) size=$2 ;;
                --requests) requests=$2 ;;
                --dir) dir=$2 ;;
                --only) only=$2 ;;
                --transport) transport=$2 ;;
            esac
            shift
            ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done
if [[ -z $size ]]; then
    size=1G
    if $endurance; then size=8G; fi
fi
[[ $seconds$rounds$requests =~ ^[0-9]+$ ]] || fail "--time, --rounds and --requests are whole numbers"
chosen > /dev/null || fail "--only $only: no workload has that in its name"
[[ $(id -u) == 0 ]] || fail "has to run as root: the limit server mounts by itself"
for tool in fio gcc qemu-img fusermount3 awk; do
    command -v "$tool" > /dev/null || fail "$tool is not installed"
done

# --- the servers ------------------------------------------------------------------------------------------------------

work=$(mktemp -d "$dir/qfuse-bench.XXXXXX")
secret=(--object "secret,id=s,file=$work/secret")
declare -A server=() target=()
compressed=() # the compressions that are measured

# Whatever has happened: nothing stays mounted, running or on disk.
clean_up() {
    local name at
    trap '' INT TERM HUP
    for at in "$work/limit" "$work/plain" "$work/qfuse" "$work/QEMU.raw" "$work/QEMU-zlib.raw" "$work/QEMU-zstd.raw"; do
        # Busy for a moment after its reader was killed; at last it is only taken out of the tree.
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            mounted "$at" || break
            umount "$at" 2> /dev/null || sleep 0.2
        done
        if mounted "$at"; then umount -l "$at" || true; fi
    done
    for name in "${!server[@]}"; do
        if [[ $name == QEMU ]]; then kill "${server[$name]}" 2> /dev/null || true; fi
        wait "${server[$name]}" 2> /dev/null || true
    done
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

mounted() {
    grep -qF " $1 " /proc/self/mountinfo
}

# Waits until the server $1 serves $2 at the mount point $3.
await() {
    for _ in {1..300}; do
        if mounted "$3"; then
            server[$1]=$4
            target[$1]=$2
            return
        fi
        kill -0 "$4" 2> /dev/null || break
        sleep 0.1
    done
    kill "$4" 2> /dev/null || true
    fail "the server $1 did not mount; it said: $(cat "$work/$1.log")"
}

start_limit() {
    gcc -O2 -pthread -o "$work/climit" integration/src/bench/c/climit.c || fail "the limit server does not compile"
    mkdir "$work/limit"
    "$work/climit" "$work/plain.raw" "$work/limit" > "$work/limit.log" 2>&1 &
    await limit "$work/limit/disk.raw" "$work/limit" $!
}

# Serves the image $2.qcow2 under the name $1; further words are options of mount.
start_qfuse() {
    local name=$1 image=$2
    shift 2
    ./qfuse --version > /dev/null # builds it first, where that is to do
    local each images=("$work/$image.qcow2")
    for each in "${compressed[@]}"; do images+=("$work/disk-$each.qcow2"); done
    mkdir "$work/$name"
    ./qfuse mount --foreground --transport="$transport" "$@" "${images[@]}" "$work/$name" > "$work/$name.log" 2>&1 &
    await "$name" "$work/$name/$image.raw" "$work/$name" $!
}

# Makes an encrypted image $1.qcow2 of the same bytes.
make_encrypted() {
    local image=$work/$1.qcow2
    printf secret > "$work/secret"
    for _ in {1..20}; do # qemu-img now and then cannot measure how fast it hashes
        qemu-img create -q -f qcow2 "${secret[@]}" -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 \
            "$image" "$size" 2> "$work/create.log" && break
    done
    qemu-img convert -n "${secret[@]}" --image-opts driver=raw,file.filename="$work/plain.raw" \
        --target-image-opts driver=qcow2,encrypt.key-secret=s,file.filename="$image" \
        || fail "no encrypted image: $(cat "$work/create.log")"
}

start_qemu() {
    if ! command -v qemu-storage-daemon > /dev/null; then
        echo "bench.sh: qemu-storage-daemon is not installed; going on without it" >&2
        return
    fi
    local name at words=() encryption=
    if $encrypted; then
        words+=("${secret[@]}")
        encryption=,encrypt.format=luks,encrypt.key-secret=s
    fi
    for name in "${compressed[@]/#/-}" ""; do
        at=$work/QEMU$name.raw
        touch "$at"
        words+=(--blockdev "driver=file,node-name=file$name,filename=$work/copy$name.qcow2")
        words+=(--blockdev "driver=qcow2,node-name=disk$name,file=file$name$encryption")
        words+=(--export "type=fuse,id=export$name,node-name=disk$name,mountpoint=$at,writable=on")
    done
    qemu-storage-daemon "${words[@]}" > "$work/QEMU.log" 2>&1 &
    await QEMU "$at" "$at" $! # its last mount
}

# Prints a value in kB from the process status of qfuse as MiB.
memory() {
    awk -v name="$1:" '$1 == name { printf "%d", $2 / 1024 }' "/proc/${server[qfuse]}/status"
}

# Prints how many bytes all threads of qfuse have allocated on its heap so far.
allocated() {
    local jcmd
    jcmd=$(dirname "$(readlink "/proc/${server[qfuse]}/exe")")/jcmd
    "$jcmd" "${server[qfuse]}" Thread.print -e | grep -o 'allocated=[0-9.]*[BKMG]' | tr -d 'a-z=' | awk '
        { unit = substr($0, length($0)); n = $0 + 0 }
        { sum += n * (unit == "G" ? 2^30 : unit == "M" ? 2^20 : unit == "K" ? 2^10 : 1) }
        END { printf "%d", sum }'
}

# --- the measurements -------------------------------------------------------------------------------------------------

engine=io_uring
# Some kernels and containers forbid io_uring.
if ! fio --name=probe --ioengine=io_uring --filename="$work/probe" --size=4k --rw=write > /dev/null 2>&1; then
    engine=libaio
fi
rm -f "$work/probe"

# Runs fio on the file $1 with the further options; prints the requests it made, then requests and MB a second.
run_fio() {
    local file=$1
    shift
    fio --name=bench --filename="$file" --ioengine=$engine --direct=1 --norandommap --randrepeat=0 --group_reporting \
        --output-format=terse --terse-version=3 "$@" | awk -F';' '
        /^3;/ { n += ($6 + $47) / bs; iops += $8 + $49; mb += ($7 + $48) * 1024 / 1e6 }
        END { if (!iops) exit 1; printf "%d %.0f %.0f\n", n, iops, mb }' bs="$(kib "$@")" \
        || fail "fio failed on $file"
}

# Prints the block size of fio options in KiB.
kib() {
    local word
    for word in "$@"; do
        case $word in
            --bs=4k) echo 4 ;;
            --bs=1M) echo 1024 ;;
        esac
    done
}

# Reads lines "name|unit|limit or plain|qfuse|QEMU", one a round; prints the table.
table() {
    awk -F'|' -v first="$first" '
    function median(values, n,    i, j, t) {
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && values[j - 1] > values[j]; j--) {
                t = values[j]; values[j] = values[j - 1]; values[j - 1] = t
            }
        return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
    }
    function cell(name, column,    values, n, i, m) {
        for (i = 1; i <= count[name]; i++) if (seen[name, i, column] > 0) values[++n] = seen[name, i, column]
        if (!n) return "not installed"
        m = median(values, n)
        return sprintf("%d (%d–%d)", m, values[1], values[n])
    }
    function ratio(name, column,    values, n, i) {
        for (i = 1; i <= count[name]; i++)
            if (seen[name, i, column] > 0) values[++n] = seen[name, i, 4] / seen[name, i, column]
        return n ? sprintf("%.2f", median(values, n)) : "—"
    }
    !($1 in count) { order[++names] = $1; unit[$1] = $2 }
    { round = ++count[$1]; for (c = 3; c <= 5; c++) seen[$1, round, c] = $c }
    END {
        print "| workload | unit | " first " | qfuse | QEMU | qfuse / " first " | qfuse / QEMU |"
        print "|---|---|---|---|---|---|---|"
        for (i = 1; i <= names; i++) {
            name = order[i]
            printf "| %s | %s | %s | %s | %s | %s | %s |\n", name, unit[name], cell(name, 3), cell(name, 4),
                cell(name, 5), ratio(name, 3), ratio(name, 5)
        }
    }'
}

# One measurement of the workload with unit $2, options $3 and compression $4 on the server $1; 0 where that server is missing.
measure() {
    local made iops mb file=${target[$1]:-}
    case $1$4 in
        qfuse | QEMU | limit*) ;;
        qfuse*) file=$work/qfuse/disk-$4.raw ;;
        QEMU*) file=$work/QEMU-$4.raw ;;
    esac
    if [[ -z ${target[$1]:-} ]]; then
        echo 0
        return
    fi
    # shellcheck disable=SC2086 # the options are words
    read -r made iops mb < <(run_fio "$file" --time_based --runtime="$seconds" --size="$size" $3)
    [[ -n ${made:-} ]] || fail "no result from fio on $1"
    if [[ $2 == IOPS ]]; then echo "$iops"; else echo "$mb"; fi
}

describe() {
    echo "qfuse $(./qfuse --version | awk '{ print $2 }') on $(nproc) processors, Linux $(uname -r)," \
        "Java $("$(readlink "/proc/${server[qfuse]}/exe")" -version 2>&1 | awk -F'"' 'NR == 1 { print $2 }')," \
        "$(fio --version) ($engine), transport $transport, images on $(stat -f -c %T "$dir"): $*"
}

# Prints what $2 requests of the kind $1 have allocated, given the bytes before and after.
per_request() {
    awk -v kind="$1" -v n="$2" -v before="$3" -v after="$4" \
        'BEGIN { printf "- heap allocated for each %s: %.1f bytes (%d requests)\n", kind, (after - before) / n, n }'
}

# Makes $work/plain-disk.raw with contents like a disk's, and an image of it compressed by each of the words.
compress() {
    local name bytes
    bytes=$(stat -c %s "$work/plain.raw")
    # tar is cut off where the disk is full, or ends before.
    { tar -C / -cf - usr 2> /dev/null || true; } | head -c "$bytes" > "$work/plain-disk.raw"
    truncate -s "$bytes" "$work/plain-disk.raw"
    head -c $((bytes / 16)) /dev/zero | dd of="$work/plain-disk.raw" bs=64k seek=$((bytes / 4 / 65536)) conv=notrunc status=none
    head -c $((bytes / 16)) /dev/urandom | dd of="$work/plain-disk.raw" bs=64k seek=$((bytes / 2 / 65536)) conv=notrunc status=none
    for name in "$@"; do
        qemu-img convert -c -f raw -O qcow2 -o compression_type="$name" "$work/plain-disk.raw" "$work/disk-$name.qcow2"
        cp "$work/disk-$name.qcow2" "$work/copy-$name.qcow2"
    done
    rm "$work/plain-disk.raw"
}

compare() {
    local name unit options round kind before made image=disk
    qemu-img create -q -f raw "$work/plain.raw" "$size"
    # Bytes that no tool takes for zeroes, so that every cluster is allocated.
    head -c "$(stat -c %s "$work/plain.raw")" /dev/urandom > "$work/plain.raw"
    qemu-img convert -f raw -O qcow2 "$work/plain.raw" "$work/disk.qcow2"
    if $encrypted; then
        make_encrypted secret
        start_qfuse plain disk
        start_qfuse qfuse secret --passphrase-file "$work/secret"
        image=secret
    else
        mapfile -t compressed < <(kinds | sort -u)
        if ((${#compressed[@]})); then compress "${compressed[@]}"; fi
        start_limit
        start_qfuse qfuse disk
    fi
    if command -v qemu-storage-daemon > /dev/null; then cp "$work/$image.qcow2" "$work/copy.qcow2"; fi
    start_qemu
    for name in "${!target[@]}"; do
        for kind in randread randwrite; do
            run_fio "${target[$name]}" --time_based --runtime="$seconds" --size="$size" --rw=$kind \
                --bs=4k --iodepth=32 > /dev/null
        done
    done
    for name in "${compressed[@]}"; do
        for kind in qfuse QEMU; do
            measure $kind MB/s "--rw=read --bs=1M --iodepth=4" "$name" > /dev/null
        done
    done

    describe "$rounds rounds of $seconds s, $size disk, clusters 64k, all allocated$($encrypted && echo ", LUKS with AES-256-XTS")"
    echo
    for ((round = 1; round <= rounds; round++)); do
        echo "bench.sh: round $round of $rounds" >&2
        while IFS='|' read -r name unit options; do
            kind=$(compression "$name")
            echo "$name|$unit|$(measure $first "$unit" "$options" "$kind")|$(measure qfuse "$unit" "$options" "$kind")|$(measure QEMU "$unit" "$options" "$kind")"
        done < <(chosen) >> "$work/results"
    done
    table < "$work/results"
    echo
    for kind in randread randwrite; do
        before=$(allocated)
        read -r made _ < <(run_fio "${target[qfuse]}" --time_based --runtime="$seconds" --size="$size" --rw=$kind \
            --bs=4k --iodepth=32)
        per_request "4 KiB $kind" "$made" "$before" "$(allocated)"
    done
    echo "- memory of the qfuse server: $(memory VmRSS) MiB resident, at most $(memory VmHWM) MiB"
}

endure() {
    local part before made all=0 parts=10
    qemu-img create -q -f qcow2 "$work/disk.qcow2" "$size"
    start_qfuse qfuse disk
    describe "$size disk, clusters 64k, nothing allocated at first; 4 KiB requests at random, 70 % reads, depth 32"
    echo
    echo "| requests so far | requests/s | resident MiB | highest MiB |"
    echo "|---|---|---|---|"
    before=$(allocated)
    for ((part = 1; part <= parts; part++)); do
        local iops
        read -r made iops _ < <(run_fio "${target[qfuse]}" --size="$size" --io_size=$((requests / parts * 4))k \
            --rw=randrw --rwmixread=70 --bs=4k --iodepth=32)
        all=$((all + made))
        echo "| $all | $iops | $(memory VmRSS) | $(memory VmHWM) |"
    done
    echo
    per_request "4 KiB request" "$all" "$before" "$(allocated)"
    umount "$work/qfuse" && wait "${server[qfuse]}"
    qemu-img check "$work/disk.qcow2" | sed -n '1s/^/- qemu-img check: /p'
}

if $endurance; then endure; else compare; fi
