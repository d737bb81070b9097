# shellcheck shell=bash
# One measurement.

# Some kernels and containers forbid io_uring.
choose_engine() {
    engine=io_uring
    if ! fio --name=probe --ioengine=io_uring --filename="$work/probe" --size=4k --rw=write > /dev/null 2>&1; then
        engine=libaio
    fi
    rm -f "$work/probe"
}

# Runs fio on the file $1 with the further options; prints how many KiB it moved, then requests and MB a second.
run_fio() {
    local file=$1
    shift
    fio --name=bench --filename="$file" --ioengine=$engine --direct=1 --norandommap --randrepeat=0 --group_reporting \
        --output-format=terse --terse-version=3 "$@" | awk -F';' '
        /^3;/ { kib += $6 + $47; iops += $8 + $49; mb += ($7 + $48) * 1024 / 1e6 }
        END { if (!kib) exit 1; printf "%d %.0f %.0f\n", kib, iops, mb }' \
        || fail "fio failed on $file"
}

# Prints random writes, one to each cluster of a disk of $1 bytes, as a log that fio replays; $2 is the seed.
first_writes() {
    awk -v size="$1" -v cluster=$cluster -v seed="$2" 'BEGIN {
        srand(seed)
        n = int(size / cluster)
        for (i = 0; i < n; i++) at[i] = i
        for (i = n - 1; i > 0; i--) { j = int(rand() * (i + 1)); t = at[i]; at[i] = at[j]; at[j] = t }
        print "fio version 2 iolog\ndisk add\ndisk open"
        for (i = 0; i < n; i++) printf "disk write %.0f 4096\n", at[i] * cluster + int(rand() * cluster / 4096) * 4096
        print "disk close"
    }'
}

# Warms up the server $1: its compiler, where it has one, and its caches.
warm() {
    local name=$1 scene=$2 file kind kinds=("--rw=randread --bs=4k" "--rw=randwrite --bs=4k")
    if fresh "$scene"; then file=${warm_up[$name]:-}; else file=${target[$name]}; fi
    if [[ -z $file ]]; then return; fi
    if only_read "$scene"; then kinds=("--rw=randread --bs=4k" "--rw=read --bs=1M"); fi
    for kind in "${kinds[@]}"; do
        # shellcheck disable=SC2086 # the options are words
        run_fio "$file" --time_based --runtime="$runtime" --size="$(disk_size "$scene")" --iodepth=32 $kind > /dev/null
    done
}

# Sets value to what the server $1 came to in the scene $2, with the unit $3, in the way $4, with the fio options $5.
measure() {
    local name=$1 scene=$2 unit=$3 how=$4 options=$5 file=${target[$1]} result iops mb bytes
    bytes=$(disk_size "$scene")
    case $how in
        steady) options+=" --time_based --runtime=$runtime --size=$bytes" ;;
        once)
            touch_memory "$bytes"
            options+=" --runtime=$runtime --size=$bytes"
            ;;
        first)
            touch_memory "$bytes"
            first_writes "$bytes" "$round" > "$work/first"
            options+=" --runtime=$runtime --read_iolog=$work/first --replay_redirect=$file"
            ;;
        tree)
            untar "$file" "${scene#*:}"
            return
            ;;
        memory)
            value=$(memory "$name" VmRSS)
            return
            ;;
    esac
    # shellcheck disable=SC2086 # the options are words
    result=$(run_fio "$file" $options)
    read -r _ iops mb <<< "$result"
    if [[ $unit == IOPS ]]; then value=$iops; else value=$mb; fi
}

# Fills $1 bytes and frees them. A virtual machine may have to ask its host for each page that it has not used for a while,
# and would measure that instead of whoever fills memory next.
touch_memory() {
    head -c "$1" /dev/zero > "$work/touched"
    rm "$work/touched"
}

# Sets value to the seconds in which the archive is unpacked in a file system $2 on the disk $1, and removed, both to the
# last write.
untar() {
    local device start end files=$work/files
    mkdir -p "$files"
    device=$(losetup -f --show "$1")
    case $2 in
        ext4) mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$device" ;;
        xfs) mkfs.xfs -q "$device" ;;
    esac
    mount "$device" "$files"
    start=$EPOCHREALTIME
    tar -xf "$work/tree.tar" -C "$files"
    sync -f "$files"
    rm -r "$files/tree"
    sync -f "$files"
    end=$EPOCHREALTIME
    umount "$files"
    losetup -d "$device"
    value=$(awk -v start="$start" -v end="$end" 'BEGIN { printf "%.3f", end - start }')
}

# Prints the value $2, which is in kB, from the process status of the server $1 as MiB.
memory() {
    awk -v name="$2:" '$1 == name { printf "%d", $2 / 1024 }' "/proc/${server[$1]}/status"
}

# Prints how many bytes all threads of qfuse have allocated on its heap so far.
allocated() {
    "${java%/*}/jcmd" "${server[qfuse]}" Thread.print -e | grep -o 'allocated=[0-9.]*[BKMG]' | tr -d 'a-z=' | awk '
        { unit = substr($0, length($0)); n = $0 + 0 }
        { sum += n * (unit == "G" ? 2^30 : unit == "M" ? 2^20 : unit == "K" ? 2^10 : 1) }
        END { printf "%d", sum }'
}

# Prints what $2 requests of the kind $1 have allocated, given the bytes before and after.
per_request() {
    awk -v kind="$1" -v n="$2" -v before="$3" -v after="$4" \
        'BEGIN { printf "- heap allocated for each %s: %.1f bytes (%d requests)\n", kind, (after - before) / n, n }'
}
