# shellcheck shell=bash
# The servers that are compared, and their end.

declare -A server=()  # the process of each that runs
declare -A target=()  # the raw file that it serves
declare -A warm_up=() # one that it serves beside it for the sake of warming up, where its image must stay fresh
declare -A qsd=()     # the program behind the name of each QEMU
declare -A qsd_aio=() # its aio
declare -A qsd_iothreads=()
backing=() # the backing files of the images, the lowest first

mounted() {
    grep -qF " $1 " /proc/self/mountinfo
}

# Waits until the server $1, of process $4, serves $2 at the mount point $3.
await() {
    server[$1]=$4
    for _ in {1..600}; do
        if mounted "$3"; then
            target[$1]=$2
            return
        fi
        kill -0 "$4" 2> /dev/null || break
        sleep 0.05
    done
    kill "$4" 2> /dev/null || true
    fail "the server $1 did not mount; it said: $(cat "$work/$1.log")"
}

# Starts the server $1 on its copy of the image of the scene $2.
start() {
    case $1 in
        limit) start_limit ;;
        plain) start_qfuse plain "$2" ;;
        qfuse)
            if $encrypted; then
                start_qfuse qfuse "$2" --passphrase-file "$work/secret"
            else
                start_qfuse qfuse "$2"
            fi
            ;;
        QEMU*) start_qemu "$1" ;;
    esac
}

start_limit() {
    if [[ ! -e $work/climit ]]; then
        gcc -O2 -pthread -o "$work/climit" integration/src/bench/c/climit.c || fail "the limit server does not compile"
    fi
    mkdir -p "$work/limit"
    "$work/climit" -n "$workers" "$work/limit.raw" "$work/limit" > "$work/limit.log" 2>&1 &
    await limit "$work/limit/disk.raw" "$work/limit" $!
}

# Serves the image $1.qcow2 of the scene $2 under the name $1; further words are options of mount.
start_qfuse() {
    local name=$1 scene=$2 images=("$work/$1.qcow2")
    shift 2
    if fresh "$scene"; then
        cp "$work/image.qcow2" "$work/$name-warm.qcow2"
        images+=("$work/$name-warm.qcow2")
        warm_up[$name]=$work/$name/$name-warm.raw
    fi
    mkdir -p "$work/$name"
    ./qfuse mount --foreground --quiet --transport="$transport" "$@" "${images[@]}" "$work/$name" > "$work/$name.log" 2>&1 &
    await "$name" "$work/$name/$name.raw" "$work/$name" $!
    java=$(readlink "/proc/${server[$name]}/exe")
}

# Puts into words what makes QEMU $1 export the image $2; further words are properties of the format.
qemu_words() {
    local name=$1 image=$2 properties=${3:-} layer=0 below='' file export thread
    words=()
    for ((thread = 0; thread < qsd_iothreads[$name]; thread++)); do
        words+=(--object "iothread,id=io$thread")
    done
    for file in "${backing[@]}"; do
        words+=(--blockdev "driver=file,node-name=file$layer,filename=$file,aio=${qsd_aio[$name]},read-only=on")
        words+=(--blockdev "driver=qcow2,node-name=layer$layer,file=file$layer,read-only=on$below")
        below=,backing=layer$layer
        layer=$((layer + 1))
    done
    words+=(--blockdev "driver=file,node-name=file,filename=$image,aio=${qsd_aio[$name]}")
    words+=(--blockdev "driver=qcow2,node-name=disk,file=file$below$properties")
    export="type=fuse,id=export,node-name=disk,mountpoint=$work/$name.raw,writable=on"
    case ${qsd_iothreads[$name]} in
        0) ;;
        1) export+=,iothread=io0 ;;
        *) export+=,iothread.0=io0,iothread.1=io1 ;;
    esac
    words+=(--export "$export")
}

start_qemu() {
    local name=$1 words=()
    touch "$work/$name.raw"
    if $encrypted; then
        qemu_words "$name" "$work/$name.qcow2" ,encrypt.format=luks,encrypt.key-secret=s
        words=("${secret[@]}" "${words[@]}")
    else
        qemu_words "$name" "$work/$name.qcow2"
    fi
    "${qsd[$name]}" "${words[@]}" > "$work/$name.log" 2>&1 &
    await "$name" "$work/$name.raw" "$work/$name.raw" $!
}

# Finds out the most that QEMU $1 can do: io_uring, and two iothreads or one.
probe_qemu() {
    local name=$1 aio threads words
    qemu-img create -q -f qcow2 "$work/$name.qcow2" 1M
    for aio in io_uring threads; do
        for threads in 2 1 0; do
            qsd_aio[$name]=$aio
            qsd_iothreads[$name]=$threads
            touch "$work/$name.raw"
            qemu_words "$name" "$work/$name.qcow2"
            "${qsd[$name]}" "${words[@]}" > "$work/$name.log" 2>&1 &
            if (await "$name" "$work/$name.raw" "$work/$name.raw" $! 2> /dev/null); then
                server[$name]=$!
                stop "$name"
                return
            fi
            wait $! 2> /dev/null || true
        done
    done
    fail "${qsd[$name]} exports nothing through FUSE; it said: $(cat "$work/$name.log")"
}

# Unmounts what the server $1 serves, waits for its end, and removes its images.
stop() {
    local name=$1
    if [[ $name == QEMU* ]]; then
        kill "${server[$name]}" 2> /dev/null || true
    elif ! unmount "$work/$name"; then
        kill "${server[$name]}" 2> /dev/null || true # it would serve until its last user ends
    fi
    wait "${server[$name]}" 2> /dev/null || true
    unset "server[$name]" "target[$name]" "warm_up[$name]"
    rm -f "$work/$name.raw" "$work/$name.qcow2" "$work/$name-warm.qcow2"
}

# Busy for a moment after its reader was killed; at last it is only taken out of the tree, which is told by a failure.
unmount() {
    for _ in {1..10}; do
        mounted "$1" || return 0
        umount "$1" 2> /dev/null || sleep 0.2
    done
    mounted "$1" || return 0
    umount -l "$1" || true
    return 1
}

# Whatever has happened: nothing stays mounted, running or on disk.
clean_up() {
    local name device
    trap '' INT TERM HUP
    unmount "$work/files" || true
    for device in $(losetup -n -O NAME,BACK-FILE 2> /dev/null | awk -v below="$work/" 'index($2, below) == 1 { print $1 }'); do
        losetup -d "$device" || true
    done
    for name in "${!server[@]}"; do stop "$name"; done
    rm -rf --one-file-system "$work"
}
