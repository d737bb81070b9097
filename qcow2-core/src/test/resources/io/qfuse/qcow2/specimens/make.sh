#!/usr/bin/env bash
# Makes the images of this directory, by qemu-img and qemu-io: small ones of each kind that the format has. Specimen.java tells
# what is in them. Run it in an empty directory and pack what it makes: gzip -9n *.qcow2
set -euo pipefail

write() { # image, then pattern, offset and length of each write
    local image=$1 args=()
    shift
    while (($#)); do
        args+=(-c "write -P $1 $2 $3")
        shift 3
    done
    qemu-io -f qcow2 "${args[@]}" "$image" > /dev/null
}

make() { # name, options
    qemu-img create -q -f qcow2 -o "$2" "$1.qcow2" 256k
    write "$1.qcow2" 1 0 40k 2 40k 8k 3 100k 3000 4 200k 512
}

make v2 compat=0.10,cluster_size=512
make v3 cluster_size=512
qemu-io -f qcow2 -d unmap -c 'write -z 8k 4k' -c 'write -z -u 16k 4k' -c 'discard 24k 4k' v3.qcow2 > /dev/null
make v3-lazy cluster_size=4k,lazy_refcounts=on
make v3-1bit cluster_size=1k,refcount_bits=1
make v3-64bit cluster_size=512,refcount_bits=64

qemu-img create -q -f qcow2 -o cluster_size=16k,extended_l2=on extended.qcow2 1M
write extended.qcow2 1 0 40k 2 40k 8k 3 100k 3000 4 200k 512
qemu-io -f qcow2 -d unmap -c 'write -z 8k 4k' -c 'write -z -u 16k 16k' extended.qcow2 > /dev/null

qemu-img convert -c -f qcow2 -O qcow2 -o cluster_size=4k v2.qcow2 deflate.qcow2
qemu-img convert -c -f qcow2 -O qcow2 -o cluster_size=4k,compression_type=zstd v2.qcow2 zstd.qcow2

make snapshots cluster_size=512
qemu-img snapshot -c first snapshots.qcow2
write snapshots.qcow2 5 4k 4k
qemu-img snapshot -c second snapshots.qcow2
write snapshots.qcow2 6 100k 1k

make bitmaps cluster_size=512
qemu-img bitmap --add -g 512 bitmaps.qcow2 tracking
qemu-img bitmap --add --disable -g 4k bitmaps.qcow2 still
write bitmaps.qcow2 5 4k 4k

head -c 200000 /dev/zero | tr '\0' '\7' > base.raw
qemu-img create -q -f qcow2 -o cluster_size=1k -b base.raw -F raw backed.qcow2 256k
write backed.qcow2 1 0 40k 5 100k 3000
qemu-io -f qcow2 -c 'write -z 8k 4k' backed.qcow2 > /dev/null
