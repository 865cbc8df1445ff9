#!/bin/sh
# Runs every fuzz target (tests/fuzz/fuzz_NAME.c) for FUZZ_SECONDS (60) under libFuzzer with the address and
# undefined-behavior sanitizers, two at a time. Seeds: tests/fuzz/corpus/NAME; what is found useful is kept in
# build/fuzz/corpus. Arguments name targets (yaml spec …); without any, all run. One TAP line each; 1 on a finding.
set -u
seconds=${FUZZ_SECONDS:-60}
out=build/fuzz
names=$*
if [ -z "$names" ]; then
    for source in tests/fuzz/fuzz_*.c; do
        name=${source#tests/fuzz/fuzz_}
        names="$names ${name%.c}"
    done
fi

compiler=clang
command -v ccache >/dev/null 2>&1 && compiler="ccache clang"
targets=""
for name in $names; do targets="$targets $out/tests/fuzz/fuzz_$name"; done
# shellcheck disable=SC2086
make -j2 CC="$compiler" BUILD=$out SANITIZE=fuzzer-no-link,address,undefined CFLAGS='-O1 -g -Wno-unknown-warning-option' \
    LDFLAGS=-fsanitize=fuzzer $targets >"$out.log" 2>&1 || {
    tail -n 40 "$out.log"
    echo "not ok 1 - fuzz targets build"
    exit 1
}

# Whole manifests start from those of the other tests and know the words of the field table.
mkdir -p "$out/seeds"
find tests/golden/check examples -name '*.yaml' -size -8k -exec cp {} "$out/seeds" \;
grep -ohE '"[A-Za-z]{3,40}"' runtime/spec/*.c | sort -u >"$out/words"

run_one() { # NAME
    seeds=tests/fuzz/corpus/$1
    [ "$1" = spec ] && seeds="$seeds $out/seeds -dict=$out/words"
    mkdir -p "$out/corpus/$1" "$out/found/$1"
    # shellcheck disable=SC2086
    ASAN_OPTIONS=detect_leaks=1 "$out/tests/fuzz/fuzz_$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -max_len=8192 -print_final_stats=1 -artifact_prefix="$out/found/$1/" "$out/corpus/$1" $seeds \
        >"$out/$1.log" 2>&1
    echo $? >"$out/$1.status"
}

report() { # NUMBER NAME
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$2.log")
    if [ "$(cat "$out/$2.status")" -eq 0 ]; then
        echo "ok $1 - fuzz $2: ${runs:-0} inputs in $seconds s"
        return 0
    fi
    grep -E '^(SUMMARY|==[0-9]+==|    #[0-9] |Test unit written|MS:)' "$out/$2.log" | head -n 20 | sed 's/^/# /'
    echo "not ok $1 - fuzz $2: see $out/$2.log and $out/found/$2"
    return 1
}

n=0
status=0
# shellcheck disable=SC2086
set -- $names
while [ $# -gt 0 ]; do
    first=$1
    second=${2:-}
    shift
    run_one "$first" &
    pid=$!
    if [ -n "$second" ]; then
        shift
        run_one "$second"
    fi
    wait "$pid"
    for name in $first $second; do
        n=$((n + 1))
        report "$n" "$name" || status=1
    done
done
echo "1..$n"
exit $status
