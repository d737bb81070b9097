package io.qfuse.cli;

import io.qfuse.qcow2.DiskMap;
import io.qfuse.qcow2.Sizes;
import io.qfuse.qcow2.io.OneLine;
import java.util.Locale;

/** Draws a disk: cells from left to right and row by row, a line below them where a partition is, and a legend. */
final class MapSvg {

    static final int COLUMNS = 128;
    static final int ROWS = 48;

    /** By kind, as {@link MapGrid} numbers them: told apart by people who see few colours, too. */
    static final String[] COLOURS = {"#0072b2", "#009e73", "#56b4e9", "#8c8c8c", "#cc79a7", "#f0e442"};

    private static final String[] PARTITION_COLOURS = {"#d55e00", "#222222"};
    private static final int CELL = 8;
    private static final int PITCH = 12; // of rows: below each is the room for a partition's line
    private static final int LEFT = 76;
    private static final int TOP = 34;
    private static final int LINE = 18;

    private final MapGrid grid;
    private final DiskMap map;
    private final Partitions partitions;
    private final StringBuilder out = new StringBuilder();

    private MapSvg(MapGrid grid, DiskMap map, Partitions partitions) {
        this.grid = grid;
        this.map = map;
        this.partitions = partitions;
    }

    static String of(MapGrid grid, DiskMap map, Partitions partitions) {
        MapSvg drawing = new MapSvg(grid, map, partitions);
        drawing.draw();
        return drawing.out.append("</svg>\n").toString();
    }

    private void draw() {
        int rows = (grid.cells() + COLUMNS - 1) / COLUMNS;
        int legend = TOP + rows * PITCH + LINE;
        int lines = MapGrid.KINDS + 1 + partitions.list().size();
        int width = LEFT + COLUMNS * CELL + 10;
        int height = legend + lines * LINE + 10;
        out.append(String.format(
                Locale.ROOT,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\""
                        + " font-family=\"sans-serif\" font-size=\"12\">%n<rect width=\"100%%\" height=\"100%%\""
                        + " fill=\"white\"/>%n",
                width,
                height,
                width,
                height));
        text(
                10,
                20,
                map.file(0).getFileName() + ": " + Sizes.format(map.size()) + ", a cell is "
                        + Sizes.format(grid.cellBytes()));
        for (int row = 0; row < rows; row++) {
            row(row);
        }
        int y = legend;
        for (int kind = 0; kind < MapGrid.KINDS; kind++) {
            if (MapGrid.isPossible(kind, map)) {
                rectangle(10, y - 10, 12, 12, COLOURS[kind], 1);
                text(30, y, MapGrid.name(kind, map) + ": " + Sizes.format(grid.total(kind)));
                y += LINE;
            }
        }
        for (int i = 0; i < partitions.list().size(); i++) {
            rectangle(10, y - 5, 12, 3, PARTITION_COLOURS[i % 2], 1);
            text(30, y, partitions.list().get(i).toString());
            y += LINE;
        }
    }

    private void row(int row) {
        int first = row * COLUMNS;
        int end = Math.min(grid.cells(), first + COLUMNS);
        int y = TOP + row * PITCH;
        if (row % 4 == 0) {
            text(10, y + CELL, Sizes.format(first * grid.cellBytes()));
        }
        rectangle(LEFT, y, (end - first) * CELL, CELL, "#eeeeee", 1);
        int next;
        for (int cell = first; cell < end; cell = next) {
            int kind = grid.kind(cell);
            int shade = shade(cell);
            next = cell + 1;
            while (next < end && grid.kind(next) == kind && shade(next) == shade) {
                next++;
            }
            if (kind >= 0) {
                rectangle(LEFT + (cell - first) * CELL, y, (next - cell) * CELL, CELL, COLOURS[kind], shade / 10.0);
            }
        }
        for (int i = 0; i < partitions.list().size(); i++) {
            Partitions.Partition partition = partitions.list().get(i);
            int from = Math.max(first, grid.cellOf(partition.start()));
            int to = Math.min(end, grid.cellOf(partition.end() - 1) + 1);
            if (from < to) {
                int x = LEFT + (from - first) * CELL;
                rectangle(x, y + CELL + 1, (to - from) * CELL, 2, PARTITION_COLOURS[i % 2], 1);
            }
        }
    }

    /** A cell that holds anything can be told from one that holds nothing. */
    private int shade(int cell) {
        return 3 + (int) Math.round(7 * grid.share(cell));
    }

    private void rectangle(int x, int y, int width, int height, String colour, double opacity) {
        out.append(String.format(
                Locale.ROOT,
                "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"%s/>%n",
                x,
                y,
                width,
                height,
                colour,
                opacity == 1 ? "" : " fill-opacity=\"" + opacity + "\""));
    }

    private void text(int x, int y, String text) {
        out.append("<text x=\"" + x + "\" y=\"" + y + "\">" + escaped(text) + "</text>\n");
    }

    /** Names come from images, and may hold anything. */
    static String escaped(String text) {
        return OneLine.of(text)
                .replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
