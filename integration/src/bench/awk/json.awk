# Reads lines "what|value" of the machine, then "warning" lines, then those of the results (see table.awk); prints them as JSON.
#
#   awk -F'|' -f json.awk machine warnings results

function quoted(text,    i, c, out) {
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        out = out (c == "\\" || c == "\"" ? "\\" c : c == "\t" ? "\\t" : c)
    }
    return "\"" out "\""
}

FNR == 1 { part = FILENAME }
part == ARGV[1] { machine = machine (machine ? ",\n" : "") "    " quoted($1) ": " quoted($2); next }
part == ARGV[2] { warned = warned (warned ? ",\n" : "\n") "    " quoted($0); next }

!($2 in unit) { order[++names] = $2; scene[$2] = $1; unit[$2] = $3 }
!(($2, $4) in values) { servers[$2] = servers[$2] (servers[$2] ? "|" : "") $4 }
{ values[$2, $4] = values[$2, $4] (values[$2, $4] != "" ? ", " : "") $6 }

END {
    printf "{\n  \"machine\": {\n%s\n  },\n  \"warnings\": [%s%s],\n  \"workloads\": [", machine, warned, warned ? "\n  " : ""
    for (i = 1; i <= names; i++) {
        name = order[i]
        printf "%s\n    {\"name\": %s, \"scene\": %s, \"unit\": %s, \"better\": \"%s\", \"rounds\": {", (i > 1 ? "," : ""),
            quoted(name), quoted(scene[name]), quoted(unit[name]), unit[name] == "s" || unit[name] == "MiB" ? "less" : "more"
        n = split(servers[name], server, "|")
        for (s = 1; s <= n; s++) printf "%s%s: [%s]", (s > 1 ? ", " : ""), quoted(server[s]), values[name, server[s]]
        printf "}}"
    }
    printf "\n  ]\n}\n"
}
