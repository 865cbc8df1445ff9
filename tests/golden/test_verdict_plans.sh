#!/bin/sh
# Our placement against the domains KubeVirt v1.1.0 built for the same manifests on three recorded hosts: number of pins,
# emulator on its own, guest cells, their memory, vCPUs and page sizes, IO threads. Differences are listed with their
# reason in verdict_plans.txt; one that has no reason fails. The verdicts are not in this repository.
set -u
here=tests/golden
verdicts=../shared/kubevirt-verdicts
rtvmd=${BUILD:-build}/rtvmd
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
if [ ! -e "$verdicts/cases.jsonl" ]; then
    echo "ok 1 - plans agree with KubeVirt's domains # SKIP $verdicts is not there"
    echo "1..1"
    exit 0
fi
n=0
failed=0
cksum <"$verdicts/cases.jsonl" >"$scratch/sum" # the list belongs to these cases
cp "$scratch/sum" "$scratch/out"
for archive in "$verdicts"/*.tar.xz; do
    name=$(basename "$archive" .tar.xz)
    n=$((n + 1))
    mkdir "$scratch/$name" && tar -xf "$archive" -C "$scratch/$name" &&
        "$rtvmd" host -o json --host "$scratch/$name" >"$scratch/$name.json" || failed=1
    echo "$name" >>"$scratch/out"
    if python3 "$here/verdict_plans.py" "$rtvmd" "$verdicts/cases.jsonl" "$scratch/$name.json" "$verdicts/$name.json" \
        >"$scratch/differences"; then
        echo "ok $n - $name: every difference has its reason"
    else
        sed 's/^/# /' "$scratch/differences"
        echo "not ok $n - $name: every difference has its reason"
        failed=1
    fi
    sed 's/^/  /' "$scratch/differences" >>"$scratch/out"
done
n=$((n + 1))
if [ "${GOLDEN:-}" = rewrite ]; then cp "$scratch/out" "$here/verdict_plans.txt"; fi
if ! head -n 1 "$here/verdict_plans.txt" | cmp -s - "$scratch/sum"; then
    echo "ok $n - the list of differences is as written # SKIP it was written for other cases"
elif diff -u "$here/verdict_plans.txt" "$scratch/out" >"$scratch/diff"; then
    echo "ok $n - the list of differences is as written"
else
    sed 's/^/# /' "$scratch/diff"
    echo "not ok $n - the list of differences is as written"
    failed=1
fi
echo "1..$n"
exit $failed
