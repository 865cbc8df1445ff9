#!/bin/sh
# The domains of the manifests KubeVirt judged, on the hosts it judged them for, against the facts of the domains it
# built: verdict_domains.py compares, verdict_domains.txt lists the differences we want.
set -u
rtvmd=${BUILD:-build}/rtvmd
shared=../shared/kubevirt-verdicts
if [ ! -e "$shared/cases.jsonl" ] || ! command -v python3 >/dev/null; then
    echo "ok 1 - domains of the recorded verdicts # SKIP $shared or python3 is not there"
    echo "1..1"
    exit 0
fi
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
for archive in "$shared"/*.tar.xz; do
    host=$scratch/$(basename "$archive" .tar.xz)
    mkdir "$host" && tar -xf "$archive" -C "$host" || exit 1
done
printf 'storage:\n  hostDiskDirs: [/data]\n' >"$scratch/config.yaml"
python3 tests/golden/verdict_domains.py "$rtvmd" "$shared/cases.jsonl" "$scratch" tests/golden/verdict_domains.txt
