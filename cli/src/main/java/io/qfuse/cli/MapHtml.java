package io.qfuse.cli;

import io.qfuse.qcow2.DiskMap;
import io.qfuse.qcow2.Sizes;

/** A page about a disk that needs no other file: the drawing and what it is made of, as tables. */
final class MapHtml {

    private final StringBuilder out = new StringBuilder();

    private MapHtml() {}

    static String of(String svg, MapGrid grid, DiskMap map, Partitions partitions) {
        MapHtml page = new MapHtml();
        String title = MapSvg.escaped(String.valueOf(map.file(0).getFileName()));
        page.out.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>" + title
                + "</title>\n<style>body{font-family:sans-serif;margin:2em}svg{max-width:100%;height:auto}"
                + "td,th{text-align:left;padding:.1em 1.5em .1em 0}</style>\n</head>\n<body>\n<h1>" + title
                + "</h1>\n");
        page.out.append(svg);
        page.out.append("<h2>Layers</h2>\n<table>\n");
        for (int i = 0; i < map.layers(); i++) {
            page.row("" + i, map.file(i).toString());
        }
        page.out.append("</table>\n<h2>Bytes</h2>\n<table>\n");
        long rest = map.size();
        for (int kind = 0; kind < MapGrid.KINDS; kind++) {
            if (MapGrid.isPossible(kind, map)) {
                page.row(MapGrid.name(kind, map), Sizes.format(grid.total(kind)));
            }
            rest -= grid.total(kind);
        }
        page.row("never written", Sizes.format(rest));
        page.out.append("</table>\n");
        if (!partitions.list().isEmpty()) {
            page.out.append("<h2>Partitions</h2>\n<table>\n");
            partitions.list().forEach(partition -> page.row(partition.toString()));
            page.out.append("</table>\n");
        }
        return page.out.append("</body>\n</html>\n").toString();
    }

    private void row(String... cells) {
        out.append("<tr>");
        for (String cell : cells) {
            out.append("<td>").append(MapSvg.escaped(cell)).append("</td>");
        }
        out.append("</tr>\n");
    }
}
