#!/bin/sh
# Measures, part by part, and ends with a table: each budget, what was measured beside it, ok or over. Fails when any is
# over. Without PART all parts run; `make bench PART="place api"` runs those.
#
# A part is a file here: bench_NAME.sh, or, when there is none, the program bench_NAME.c. It prints what it finds, one
# line each, beginning with its name, and says every budget through budget() of bench_lib.sh or budget.h.
# BENCH_DIR is where stores are kept, on the disk that is to be measured.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
BENCH_DIR=${BENCH_DIR:-$BUILD/bench}
mkdir -p "$BENCH_DIR"
BENCH_DIR=$(cd "$BENCH_DIR" && pwd)
BENCH_SUMMARY=$BENCH_DIR/summary
export BUILD BENCH_DIR BENCH_SUMMARY
: >"$BENCH_SUMMARY"

machine() {
    model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
    virtual=$(grep -qw hypervisor /proc/cpuinfo && echo ", virtual")
    memory=$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
    file_system=$(stat -f -c %T "$BENCH_DIR")
    load=$(cut -d ' ' -f 1 /proc/loadavg)
    echo "machine: $(nproc) of ${model:-$(uname -m)}$virtual, $memory, Linux $(uname -r), $file_system, load $load at the start"
}

all_parts() {
    for file in tests/bench/bench_*.sh tests/bench/bench_*.c; do
        name=${file##*/bench_}
        echo "${name%.*}"
    done | grep -vx lib | sort -u
}

# run NAME: fails when the part could not measure; what is over budget is told by the summary
run() {
    if [ -f "tests/bench/bench_$1.sh" ]; then
        sh "tests/bench/bench_$1.sh"
    elif [ -x "$BUILD/tests/bench/bench_$1" ]; then
        "$BUILD/tests/bench/bench_$1"
    else
        echo "$1: no such part; there are: $(all_parts | tr '\n' ' ')" >&2
        return 1
    fi
}

status=0
started=$(date +%s)
machine
for part in ${PART:-$(all_parts)}; do
    run "$part" || { status=1; echo "$part: failed" >&2; }
done
echo
awk -F '\t' '{ printf "%-72s %14s %14s  %s\n", $1, $2, $3, $4 }' "$BENCH_SUMMARY"
over=$(grep -c 'over$' "$BENCH_SUMMARY")
echo "$(wc -l <"$BENCH_SUMMARY") budgets, $over over, $(($(date +%s) - started)) s"
[ "$status" -eq 0 ] && [ "$over" -eq 0 ]
