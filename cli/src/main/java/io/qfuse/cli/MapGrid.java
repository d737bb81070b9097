package io.qfuse.cli;

import io.qfuse.qcow2.DiskMap;
import io.qfuse.qcow2.scan.RunVisitor;
import java.io.IOException;
import java.util.Arrays;

/** A disk in cells of equal size, and how many bytes of each are of which kind. */
final class MapGrid implements RunVisitor {

    /** What a cell is made of, by number: data of the first layers, of all below them, and what is no plain data. */
    static final int LAYERS = 4;

    static final int DEEPER = LAYERS - 1;
    static final int COMPRESSED_DATA = LAYERS;
    static final int ZEROES = LAYERS + 1;
    static final int KINDS = LAYERS + 2;

    private static final int SECTOR = 512;

    private final long size;
    private final long cellBytes;
    private final long[][] bytes;

    private MapGrid(long size, int cells) {
        this.size = size;
        long sectors = (size + SECTOR - 1) / SECTOR;
        this.cellBytes = Math.max(1, (sectors + cells - 1) / cells) * SECTOR;
        this.bytes = new long[KINDS][(int) ((size + cellBytes - 1) / cellBytes)];
    }

    /** The whole disk in at most so many cells. */
    static MapGrid of(DiskMap map, int cells) throws IOException {
        MapGrid grid = new MapGrid(map.size(), cells);
        map.walk(0, map.size(), grid);
        return grid;
    }

    @Override
    public void run(long start, long length, int depth, int flags, long host) {
        if ((flags & PRESENT) == 0) {
            return;
        }
        int kind = (flags & DATA) == 0 ? ZEROES : (flags & COMPRESSED) != 0 ? COMPRESSED_DATA : Math.min(depth, DEEPER);
        long end = start + length;
        for (long at = start; at < end; ) {
            int cell = cellOf(at);
            long next = Math.min(end, (cell + 1) * cellBytes);
            bytes[kind][cell] += next - at;
            at = next;
        }
    }

    int cells() {
        return bytes[0].length;
    }

    long cellBytes() {
        return cellBytes;
    }

    int cellOf(long offset) {
        return (int) (offset / cellBytes);
    }

    /** The kind that most of what is known of a cell is of; -1 where nothing is known. */
    int kind(int cell) {
        int most = -1;
        for (int kind = 0; kind < KINDS; kind++) {
            if (bytes[kind][cell] > (most < 0 ? 0 : bytes[most][cell])) {
                most = kind;
            }
        }
        return most;
    }

    /** The share of a cell that is of the kind that {@link #kind} tells, from 0 to 1. */
    double share(int cell) {
        int kind = kind(cell);
        long room = Math.min(cellBytes, size - cell * cellBytes);
        return kind < 0 ? 0 : (double) bytes[kind][cell] / room;
    }

    /** All bytes of a kind. */
    long total(int kind) {
        return Arrays.stream(bytes[kind]).sum();
    }

    /** What a kind is called. */
    static String name(int kind, DiskMap map) {
        return switch (kind) {
            case COMPRESSED_DATA -> "compressed";
            case ZEROES -> "zeroes";
            case DEEPER -> "data of deeper layers";
            default -> "data of " + map.file(kind).getFileName();
        };
    }

    /** Whether a disk of these layers can have a kind at all. */
    static boolean isPossible(int kind, DiskMap map) {
        return kind >= LAYERS || kind < map.layers();
    }
}
