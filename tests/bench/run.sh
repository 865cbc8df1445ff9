#!/bin/sh
# Runs every measurement. Each prints lines of its own and fails when its budget is exceeded.
set -u
build=${BUILD:-build}
status=0
for bench in "$build"/tests/bench/bench_*; do
    case $bench in *.*) continue ;; esac
    [ -x "$bench" ] || continue
    "$bench" || status=1
done
exit $status
