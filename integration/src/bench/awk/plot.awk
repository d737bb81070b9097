# Reads lines "scene|name|unit|server|round|value" (see table.awk); draws those whose names begin with "NAME: ", of which the rest is
# the place on the x axis, as an SVG: microseconds a request, medians as lines, the lowest and the highest as strokes.
# Draws nothing where there are none.
#
#   awk -F'|' -v name="4 KiB random read by queue depth" -v file=depth.svg -f plot.awk results

function x(place) { return left + (places > 1 ? (place - 1) / (places - 1) : 0.5) * width }
function y(value) { return top + height - value / highest * height }

function median(values, n,    i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && values[j - 1] > values[j]; j--) {
            t = values[j]; values[j] = values[j - 1]; values[j - 1] = t
        }
    return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
}

function ink_of(name) {
    if (name == "qfuse") return "#0b6bcb"
    if (name == "limit") return "#8a8a8a"
    return others++ ? "#2f8f4e" : "#d1602b"
}

# A step of 1, 2 or 5 times a power of ten, so that some five make up the height.
function step_for(most,    s) {
    for (s = 0.001; ; s *= 10) {
        if (most / s <= 6) return s
        if (most / s / 2 <= 6) return 2 * s
        if (most / s / 5 <= 6) return 5 * s
    }
}

function text(px, py, anchor, size, words) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\">%s</text>\n", px, py, anchor, size, words > file
}

function line(x1, y1, x2, y2, colour) {
    printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, colour > file
}

index($2, name ": ") == 1 && $6 > 0 {
    place = substr($2, length(name) + 3)
    if (!(place in number)) { number[place] = ++places; label[places] = place }
    if (!($4 in known)) { known[$4] = ++servers; server[servers] = $4 }
    of[$4, number[place], ++count[$4, number[place]]] = 1e6 / $6
    if (1e6 / $6 > highest) highest = 1e6 / $6
}

END {
    if (!places) exit
    left = 70; top = 50; width = 560; height = 300
    step = step_for(highest)
    highest = step * (int(highest / step) + 1)
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 430\" font-family=\"sans-serif\">\n" > file
    printf "<rect width=\"700\" height=\"430\" fill=\"white\"/>\n" > file
    text(left, 28, "start", 15, name)
    text(left - 8, top - 8, "end", 11, "µs")
    for (tick = 0; tick <= highest; tick += step) {
        line(left, y(tick), left + width, y(tick), "#dddddd")
        text(left - 8, y(tick) + 4, "end", 11, tick)
    }
    for (p = 1; p <= places; p++) text(x(p), top + height + 20, "middle", 11, label[p])
    for (s = 1; s <= servers; s++) {
        points = ""; marks = ""; ink = ink_of(server[s])
        for (p = 1; p <= places; p++) {
            n = count[server[s], p]
            if (!n) continue
            for (i = 1; i <= n; i++) values[i] = of[server[s], p, i]
            m = median(values, n)
            points = points sprintf("%.1f,%.1f ", x(p), y(m))
            marks = marks sprintf("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x(p), y(m), ink)
            line(x(p), y(values[1]), x(p), y(values[n]), ink)
        }
        printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n%s", points, ink, marks > file
        printf "<rect x=\"%d\" y=\"396\" width=\"12\" height=\"12\" fill=\"%s\"/>\n", left + (s - 1) * 140, ink > file
        text(left + (s - 1) * 140 + 18, 407, "start", 12, server[s])
    }
    print "</svg>" > file
}
