# Sourced by the parts that are shell. See run.sh.
# shellcheck shell=sh

# budget WHAT MEASURED RELATION LIMIT [UNIT]: RELATION is <, <=, >= or >; one line now, one in the closing table
budget() {
    verdict=$(awk -v m="$2" -v r="$3" -v l="$4" 'BEGIN {
        print (r == "<" && m < l || r == "<=" && m <= l || r == ">=" && m >= l || r == ">" && m > l) ? "ok" : "over" }')
    echo "$1: $2${5:+ $5}, budget $3 $4${5:+ $5}: $verdict"
    printf '%s\t%s\t%s\t%s\n' "$1" "$3 $4${5:+ $5}" "$2${5:+ $5}" "$verdict" >>"${BENCH_SUMMARY:-/dev/null}"
}

# median: of the numbers on standard input, one a line
median() {
    sort -g | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}
