# shellcheck shell=bash
# The images of the scenes. A scene is named "kind" or "kind:parameter":
#
#   plain          all clusters allocated
#   empty          none allocated; four times the size
#   chain:N        N layers, pieces of 256 KiB taken from each in turn
#   overlay:N      an empty layer on top of a chain, N with it
#   compressed:Z   contents like a disk's (programs, text, noise and nothing), compressed by Z
#   large:N        N times the size, all clusters mapped, to holes of the host file
#   tree:FS        empty, 4 GiB: for a file system
#
# make_scene makes $work/image.qcow2, and $work/image.raw of the same size for the limit server; each server then gets a
# copy of its own. Backing files, which nobody changes, are shared.

cluster=65536

# Whether each measurement in the scene $1 needs an image that nobody has written to.
fresh() {
    [[ ${1%%:*} =~ ^(empty|overlay|tree)$ ]]
}

# Whether the measurements in the scene $1 must change nothing.
only_read() {
    [[ ${1%%:*} =~ ^(chain|compressed|large)$ ]]
}

# Prints how many bytes the disk of the scene $1 has.
disk_size() {
    case $1 in
        empty) echo $((4 * size)) ;;
        large:*) echo $((${1#*:} * size)) ;;
        tree:*) echo $((4 << 30)) ;;
        *) echo "$size" ;;
    esac
}

make_scene() {
    local bytes
    bytes=$(disk_size "$1")
    backing=()
    case $1 in
        plain)
            fill "$work/image.raw"
            qemu-img convert -f raw -O qcow2 "$work/image.raw" "$work/image.qcow2"
            if $encrypted; then encrypt; fi
            ;;
        compressed:*)
            imitate_disk
            qemu-img convert -c -f raw -O qcow2 -o compression_type="${1#*:}" "$work/image.raw" "$work/image.qcow2"
            ;;
        chain:*) make_chain "${1#*:}" ;;
        overlay:*)
            make_chain $((${1#*:} - 1))
            mv "$work/image.qcow2" "$work/backing.qcow2"
            backing+=("$work/backing.qcow2")
            qemu-img create -q -f qcow2 -b "$work/backing.qcow2" -F qcow2 "$work/image.qcow2"
            ;;
        large:*)
            qemu-img create -q -f qcow2 -o preallocation=metadata "$work/image.qcow2" "$bytes"
            truncate -s "$bytes" "$work/image.raw"
            ;;
        empty | tree:*)
            qemu-img create -q -f qcow2 "$work/image.qcow2" "$bytes"
            truncate -s "$bytes" "$work/image.raw"
            ;;
    esac
    case $1 in tree:*) make_tree ;; esac
}

# Gives every server that is compared its copy.
copy_images() {
    local name
    for name in "$@"; do
        case $name in
            limit) cp "$work/image.raw" "$work/limit.raw" ;;
            plain) cp "$work/image.qcow2" "$work/plain.qcow2" ;;
            *) cp "$work/$(if $encrypted; then echo secret; else echo image; fi).qcow2" "$work/$name.qcow2" ;;
        esac
    done
}

# Fills the file $1 with bytes that no tool takes for zeroes, so that every cluster is allocated.
fill() {
    head -c "$size" /dev/urandom > "$1"
}

# Makes $work/secret.qcow2, with the bytes of $work/image.raw.
encrypt() {
    local image=$work/secret.qcow2
    printf secret > "$work/secret"
    for _ in {1..20}; do # qemu-img now and then cannot measure how fast it hashes
        qemu-img create -q -f qcow2 "${secret[@]}" -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 \
            "$image" "$size" 2> "$work/create.log" && break
    done
    qemu-img convert -n "${secret[@]}" --image-opts driver=raw,file.filename="$work/image.raw" \
        --target-image-opts driver=qcow2,encrypt.key-secret=s,file.filename="$image" \
        || fail "no encrypted image: $(cat "$work/create.log")"
}

imitate_disk() {
    # tar is cut off where the disk is full, or ends before.
    { tar -C / -cf - usr 2> /dev/null || true; } | head -c "$size" > "$work/image.raw"
    truncate -s "$size" "$work/image.raw"
    head -c $((size / 16)) /dev/zero | dd of="$work/image.raw" bs=64k seek=$((size / 4 / 65536)) conv=notrunc status=none
    head -c $((size / 16)) /dev/urandom | dd of="$work/image.raw" bs=64k seek=$((size / 2 / 65536)) conv=notrunc status=none
}

# Makes a chain of $1 layers, of which layer N (from 0) has piece N, N + $1, N + 2 × $1, ...; the lowest has all.
make_chain() {
    local layers=$1 layer below
    fill "$work/image.raw"
    qemu-img convert -f raw -O qcow2 "$work/image.raw" "$work/image.qcow2"
    for ((layer = 1; layer < layers; layer++)); do
        below=$work/backing-$layer.qcow2
        mv "$work/image.qcow2" "$below"
        backing+=("$below")
        qemu-img create -q -f qcow2 -b "$below" -F qcow2 "$work/image.qcow2"
        awk -v piece=262144 -v first="$layer" -v step="$layers" -v size="$size" \
            'BEGIN { for (i = first; i * piece < size; i += step) printf "write -q -P 90 %.0f %d\n", i * piece, piece }' \
            | qemu-io -f qcow2 "$work/image.qcow2" > /dev/null
    done
}

# Makes $work/tree.tar: files of 4 KiB in a hundred directories, 20,000 for a disk of 1 GiB.
make_tree() {
    local each=$((size / 5368709)) directory
    if ((each < 1)); then each=1; fi
    if ((each > 200)); then each=200; fi
    for directory in {00..99}; do
        mkdir -p "$work/tree/$directory"
        head -c $((each * 4096)) /dev/urandom | split -a 3 -b 4096 - "$work/tree/$directory/"
    done
    tar -cf "$work/tree.tar" -C "$work" tree
    rm -r "$work/tree"
}

# Removes what make_scene has made.
remove_scene() {
    rm -f "$work"/{image.raw,image.qcow2,secret.qcow2,tree.tar} "${backing[@]}"
}
