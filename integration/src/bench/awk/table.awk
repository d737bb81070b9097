# Reads lines "scene|name|unit|server|round|value"; prints the table: medians over the rounds with the lowest and the
# highest, and medians of the ratios of each round. Of seconds and MiB less is better, and their ratios are turned over.
#
#   awk -F'|' -v servers="limit qfuse QEMU" -f table.awk results

function median(values, n,    i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && values[j - 1] > values[j]; j--) {
            t = values[j]; values[j] = values[j - 1]; values[j - 1] = t
        }
    return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
}

function less_is_better(name) { return unit[name] == "s" || unit[name] == "MiB" }

function cell(name, server,    values, n, i, m, form) {
    for (i = 1; i <= rounds[name]; i++) if ((name, server, i) in seen) values[++n] = seen[name, server, i]
    if (!n) return "—"
    m = median(values, n)
    form = unit[name] == "s" ? "%.2f" : "%d"
    return sprintf(form " (" form "–" form ")", m, values[1], values[n])
}

function ratio(name, server,    values, n, i, ours, theirs) {
    for (i = 1; i <= rounds[name]; i++) {
        ours = seen[name, "qfuse", i]; theirs = seen[name, server, i]
        if (ours > 0 && theirs > 0) values[++n] = less_is_better(name) ? theirs / ours : ours / theirs
    }
    return n ? sprintf("%.2f", median(values, n)) : "—"
}

!($2 in unit) { order[++names] = $2; unit[$2] = $3 }
{ seen[$2, $4, $5] = $6; if ($5 > rounds[$2]) rounds[$2] = $5 }

END {
    columns = split(servers, column, " ")
    printf "| workload | unit |"
    for (c = 1; c <= columns; c++) printf " %s |", column[c]
    for (c = 1; c <= columns; c++) if (column[c] != "qfuse") printf " qfuse / %s |", column[c]
    printf "\n|---|---|"
    for (c = 1; c < 2 * columns; c++) printf "---|"
    printf "\n"
    for (i = 1; i <= names; i++) {
        name = order[i]
        printf "| %s | %s |", name, unit[name] (less_is_better(name) ? ", less is better" : "")
        for (c = 1; c <= columns; c++) printf " %s |", cell(name, column[c])
        for (c = 1; c <= columns; c++) if (column[c] != "qfuse") printf " %s |", ratio(name, column[c])
        printf "\n"
    }
}
