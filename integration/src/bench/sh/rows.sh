# shellcheck shell=bash
# What is measured: the rows of the table.
#
# A row is "scene|name|unit|how|fio options". The scene is the image that is served (images.sh), the unit "IOPS" or "MB/s",
# or "s" or "MiB", of which less is better. How:
#
#   steady  for the time given, over and over the disk
#   once    one pass over the disk, at most for the time given
#   first   random writes of which each is the first to its cluster, at most for the time given
#   tree    seconds to unpack an archive in a file system on a loop device and to remove everything
#   memory  what the server has resident

plain_rows() {
    cat << 'END'
plain|4 KiB random read, depth 1|IOPS|steady|--rw=randread --bs=4k --iodepth=1
plain|4 KiB random read, depth 32|IOPS|steady|--rw=randread --bs=4k --iodepth=32
plain|4 KiB random read, 4 jobs|IOPS|steady|--rw=randread --bs=4k --iodepth=1 --numjobs=4
plain|4 KiB random write, depth 1|IOPS|steady|--rw=randwrite --bs=4k --iodepth=1
plain|4 KiB random write, depth 32|IOPS|steady|--rw=randwrite --bs=4k --iodepth=32
plain|4 KiB mixed, depth 32|IOPS|steady|--rw=randrw --rwmixread=70 --bs=4k --iodepth=32
plain|1 MiB sequential read, depth 1|MB/s|steady|--rw=read --bs=1M --iodepth=1
plain|1 MiB sequential read, depth 4|MB/s|steady|--rw=read --bs=1M --iodepth=4
plain|1 MiB sequential write, depth 1|MB/s|steady|--rw=write --bs=1M --iodepth=1
plain|1 MiB sequential write, depth 4|MB/s|steady|--rw=write --bs=1M --iodepth=4
plain|512 KiB mixed, depth 32|MB/s|steady|--rw=randrw --rwmixread=70 --bs=512k --iodepth=32
plain|4 KiB random write, fsync after each|IOPS|steady|--rw=randwrite --bs=4k --iodepth=1 --fsync=1
plain|4 KiB random write, fsync after 32|IOPS|steady|--rw=randwrite --bs=4k --iodepth=1 --fsync=32
plain|4 KiB random write, fsync after each, 8 jobs|IOPS|steady|--rw=randwrite --bs=4k --iodepth=1 --fsync=1 --numjobs=8
plain|buffered 1 MiB sequential read, cold|MB/s|once|--rw=read --bs=1M --ioengine=psync --direct=0 --invalidate=1
plain|buffered 4 KiB random read, warm|IOPS|steady|--rw=randread --bs=4k --ioengine=psync --direct=0 --pre_read=1
plain|memory|MiB|memory|
END
}

other_rows() {
    local compression
    cat << 'END'
empty|empty image, 4 KiB random write, depth 1|IOPS|first|--iodepth=1
empty|empty image, 4 KiB random write, depth 32|IOPS|first|--iodepth=32
empty|empty image, 1 MiB sequential write, depth 4|MB/s|once|--rw=write --bs=1M --iodepth=4
chain:3|three-layer chain, 4 KiB random read, depth 32|IOPS|steady|--rw=randread --bs=4k --iodepth=32
chain:3|three-layer chain, 1 MiB sequential read, depth 4|MB/s|steady|--rw=read --bs=1M --iodepth=4
overlay:3|three-layer chain, 4 KiB copy-on-write, depth 32|IOPS|first|--iodepth=32
END
    for compression in zlib zstd; do
        cat << END
compressed:$compression|compressed by $compression, 1 MiB sequential read, depth 1|MB/s|steady|--rw=read --bs=1M --iodepth=1
compressed:$compression|compressed by $compression, 1 MiB sequential read, depth 4|MB/s|steady|--rw=read --bs=1M --iodepth=4
compressed:$compression|compressed by $compression, 4 KiB random read, depth 32|IOPS|steady|--rw=randread --bs=4k --iodepth=32
END
    done
    cat << 'END'
large:1024|large image, 4 KiB random read, depth 1|IOPS|steady|--rw=randread --bs=4k --iodepth=1
large:1024|large image, 4 KiB random read, 4 jobs|IOPS|steady|--rw=randread --bs=4k --iodepth=1 --numjobs=4
large:1024|large image, memory|MiB|memory|
tree:ext4|ext4 on a loop device, untar and rm -r|s|tree|
tree:xfs|XFS on a loop device, untar and rm -r|s|tree|
END
}

# What is drawn: rows named "PLOT: PLACE ON THE X AXIS".
plots() {
    cat << 'END'
image-size|4 KiB random read, depth 1, by image size
chain-length|4 KiB random read, depth 1, by layers of the chain
queue-depth|4 KiB random read by queue depth
END
}

growth_rows() {
    local times layers depth
    for times in 1 4 16 64 256 1024 4096; do
        echo "large:$times|4 KiB random read, depth 1, by image size: $(iec $((times * size)))|IOPS|steady|--rw=randread --bs=4k --iodepth=1"
    done
    for layers in 1 2 4 8 16; do
        echo "chain:$layers|4 KiB random read, depth 1, by layers of the chain: $layers|IOPS|steady|--rw=randread --bs=4k --iodepth=1"
    done
    for depth in 1 2 4 8 16 32 64; do
        echo "plain|4 KiB random read by queue depth: $depth|IOPS|steady|--rw=randread --bs=4k --iodepth=$depth"
    done
}

# The rows that are asked for; an encrypted image takes the place of the plain one.
chosen() {
    {
        plain_rows
        if ! $quick && ! $encrypted; then other_rows; fi
        if [[ -n $plots ]] && ! $encrypted; then growth_rows; fi
    } | grep -F -- "$only"
}

# The scenes of the rows that are asked for, in the order of their first rows.
scenes() {
    chosen | awk -F'|' '!seen[$1]++ { print $1 }'
}
