# shellcheck shell=bash
# The machine: what it is, and whether it had other work, which makes figures worthless.

# Prints the ticks that all processors have spent at work so far, those that the host took from them, and all.
ticks() {
    awk '/^cpu / { print $2 + $3 + $4 + $7 + $8, $9, $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9 }' /proc/stat
}

# Prints the ticks of this script and of all that it has started and waited for.
own_ticks() {
    local fields
    read -r fields < "/proc/$$/stat"
    # shellcheck disable=SC2086 # the fields are words; the name before them may have blanks
    set -- ${fields##*) }
    echo $((${12} + ${13} + ${14} + ${15}))
}

# Watches an idle moment before anything is started, and remembers where the counters stand.
watch_machine() {
    local before
    before=$(ticks)
    sleep 0.5
    ticks_before=$(ticks)
    busy_before=$(awk -v a="$before" -v b="$ticks_before" 'BEGIN {
        split(a, x, " "); split(b, y, " ")
        all = y[3] - x[3]
        printf "%.0f", all ? (y[1] - x[1] + y[2] - x[2]) / all * 100 : 0
    }')
    own_before=$(own_ticks)
}

# Prints, when all servers have ended, how many percent of the processors' time others took since, and the host.
taken() {
    awk -v a="$ticks_before" -v b="$(ticks)" -v own="$(($(own_ticks) - own_before))" 'BEGIN {
        split(a, x, " "); split(b, y, " ")
        all = y[3] - x[3]; if (!all) all = 1
        others = y[1] - x[1] - own; if (others < 0) others = 0
        printf "%.0f %.0f\n", others / all * 100, (y[2] - x[2]) / all * 100
    }'
}

# Prints how far the rounds of the server $1 lie from each other: of each row the highest less the lowest in percent of the
# highest, and of these the median. Reads the results.
spread() {
    awk -F'|' -v server="$1" '
        $4 == server && $3 != "MiB" {
            if (!($2 in low) || $6 < low[$2]) low[$2] = $6
            if (!($2 in high) || $6 > high[$2]) high[$2] = $6
        }
        END { for (name in high) if (high[name] > 0) printf "%.0f\n", (high[name] - low[name]) / high[name] * 100 }' \
        | sort -n | awk '{ of[NR] = $1 } END { print NR ? of[int((NR + 1) / 2)] : 0 }'
}

# Prints a line for each reason not to trust the figures.
warnings() {
    local others host apart
    read -r others host < <(taken)
    apart=$(spread "${peers[0]}" < "$work/results")
    if ((busy_before > 5)); then
        echo "before anything was measured, the processors were busy for $busy_before % of the time"
    fi
    if ((others > 5)); then
        echo "other processes, and the kernel's own threads, took $others % of the processors' time"
    fi
    if ((host > 1)); then echo "the host took $host % of the processors' time (steal)"; fi
    if ((apart > 25)); then
        echo "the rounds of ${peers[0]} lie $apart % apart (median over the rows)"
    fi
}

# Prints "what|value" lines.
facts() {
    local name
    echo "qfuse|${version#* }"
    echo "transport|$transport"
    echo "processors|$(nproc)"
    echo "model|$(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)"
    echo "memory, MiB|$(awk '/^MemTotal/ { printf "%d", $2 / 1024 }' /proc/meminfo)"
    echo "Linux|$(uname -r)"
    echo "Java|$("$java" -version 2>&1 | awk -F'"' 'NR == 1 { print $2 }')"
    echo "fio|$(fio --version | sed 's/^fio-//') with $engine"
    echo "images on|$(stat -f -c %T "$dir")"
    for name in "${peers[@]}"; do
        if [[ $name == QEMU* ]]; then echo "$name|$(qemu_facts "$name")"; fi
    done
}

qemu_facts() {
    echo "$(qemu_version "${qsd[$1]}") with aio=${qsd_aio[$1]}, iothreads: ${qsd_iothreads[$1]}"
}

# Prints the version of the qemu-storage-daemon $1.
qemu_version() {
    "$1" --version | awk 'NR == 1 { for (i = 1; i < NF; i++) if ($i == "version") print $(i + 1) }'
}

describe() {
    facts | awk -F'|' '{ printf "%s%s %s", (NR > 1 ? ", " : ""), $1, $2 }'
    echo ": $*"
}
