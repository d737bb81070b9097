package io.qfuse.cli;

import io.qfuse.qcow2.DiskMap;
import io.qfuse.qcow2.Sizes;
import io.qfuse.qcow2.io.OneLine;

/** A heat map for the terminal: a sign for each cell, denser the more of it is stored, with a colour for its kind. */
final class MapPicture {

    static final int COLUMNS = 64;
    static final int ROWS = 20;

    private static final String DENSER = ".:+#";
    private static final char NOTHING = ' ';

    /** SGR parameters by kind, as {@link MapGrid} numbers them. */
    private static final String[] COLOURS = {"34", "32", "36", "90", "35", "33"};

    private static final String PLAIN = "\u001b[0m";

    private final StringBuilder out = new StringBuilder();

    private MapPicture() {}

    static String of(MapGrid grid, DiskMap map, Partitions partitions, boolean colours) {
        MapPicture picture = new MapPicture();
        int rows = (grid.cells() + COLUMNS - 1) / COLUMNS;
        for (int row = 0; row < rows; row++) {
            picture.row(row, grid, partitions, colours);
        }
        picture.legend(grid, map, partitions, colours);
        return picture.out.toString();
    }

    private void row(int row, MapGrid grid, Partitions partitions, boolean colours) {
        int first = row * COLUMNS;
        out.append(String.format("%9s |", Sizes.format(first * grid.cellBytes())));
        String current = "";
        for (int cell = first; cell < first + COLUMNS && cell < grid.cells(); cell++) {
            int kind = grid.kind(cell);
            String wanted = kind < 0 || !colours ? "" : COLOURS[kind];
            if (!wanted.equals(current)) {
                out.append(wanted.isEmpty() ? PLAIN : "\u001b[" + wanted + "m");
                current = wanted;
            }
            out.append(kind < 0 ? NOTHING : sign(grid.share(cell)));
        }
        if (!current.isEmpty()) {
            out.append(PLAIN);
        }
        out.append(" ".repeat(Math.max(0, first + COLUMNS - grid.cells()))).append('|');
        for (Partitions.Partition partition : partitions.list()) {
            if (grid.cellOf(partition.start()) / COLUMNS == row) {
                out.append(" <").append(partition.number());
            }
            if (grid.cellOf(partition.end() - 1) / COLUMNS == row) {
                out.append(" >").append(partition.number());
            }
        }
        out.append('\n');
    }

    private static char sign(double share) {
        return DENSER.charAt((int) Math.min(DENSER.length() - 1, share * DENSER.length()));
    }

    private void legend(MapGrid grid, DiskMap map, Partitions partitions, boolean colours) {
        out.append("a sign is ")
                .append(Sizes.format(grid.cellBytes()))
                .append("; up to a quarter of it . a half : three" + " quarters + all #\n");
        for (int kind = 0; kind < MapGrid.KINDS; kind++) {
            if (MapGrid.isPossible(kind, map)) {
                String name = OneLine.of(MapGrid.name(kind, map));
                out.append(colours ? "\u001b[" + COLOURS[kind] + "m" + name + PLAIN : name);
                out.append(": ").append(Sizes.format(grid.total(kind))).append('\n');
            }
        }
        partitions
                .list()
                .forEach(partition ->
                        out.append(OneLine.of(partition.toString())).append('\n'));
    }
}
