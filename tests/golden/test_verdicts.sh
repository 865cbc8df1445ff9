#!/bin/sh
# KubeVirt's own verdicts on a few hundred manifests, when they are there, against rtvmd check.
set -u
cases=../shared/kubevirt-verdicts/cases.jsonl
if [ ! -e "$cases" ]; then
    echo "ok 1 - recorded verdicts of KubeVirt # SKIP $cases is not there"
    exit 0
fi
exec python3 tests/golden/verdicts.py "${BUILD:-build}/rtvmd" "$cases" tests/golden/verdict-differences.txt
