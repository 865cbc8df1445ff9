#!/bin/sh
# make test: builds, runs everything, and prints one closing line "N passed, N failed, N skipped".
set -eu
jobs=$(nproc)
build=${BUILD:-build}
log=$(mktemp)
trap 'rm -f "$log" "$log.beside"' EXIT
failed=0
part() {
    "$@" 2>&1 | tee -a "$log"
}
make --no-print-directory -j"$jobs" BUILD="$build" WERROR=1 all >/dev/null
# shellcheck disable=SC2046
part env BUILD="$build" SCENARIO_ALL=1 make --no-print-directory -j"$jobs" BUILD="$build" test-fast
# Two at a time: one after another those that take the machine (lab_up: libvirtd, huge pages, CPUs), beside them the
# others, shown when they have ended.
# shellcheck disable=SC2046
env BUILD="$build" tests/run $(grep -L '^lab_up' tests/integration/test_*.sh) >"$log.beside" 2>&1 &
beside=$!
# shellcheck disable=SC2046
part env BUILD="$build" tests/run $(grep -l '^lab_up' tests/integration/test_*.sh)
wait "$beside" || failed=1
part cat "$log.beside"
part make --no-print-directory -j"$jobs" BUILD="$build" asan
awk '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { p += $1; f += $3; s += $5 }
     /^make.*Error/ { broken = 1 }
     END { if (broken && f == 0) f = 1
           printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p == 0 }' "$log" || failed=1
exit "$failed"
