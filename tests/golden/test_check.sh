#!/bin/sh
# rtvmd check on manifests that break every rule: the text for people of each tests/golden/check/*.yaml, and the JSON of
# one object, of several, of a file that is no manifest, and of --strict. rtvmd explain reads the same table.
set -u
rtvmd=${BUILD:-build}/rtvmd
here=tests/golden/check
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
n=0
failed=0
expected() { # FILE NAME: compares $scratch/out with FILE
    n=$((n + 1))
    if [ "${GOLDEN:-}" = rewrite ]; then cp "$scratch/out" "$1"; fi
    diff -u "$1" "$scratch/out" | sed 's/^/# /'
    if cmp -s "$1" "$scratch/out"; then echo "ok $n - $2"; else echo "not ok $n - $2" && failed=1; fi
}
said() { # ARGUMENTS: output, warnings, exit status
    "$rtvmd" check "$@" >"$scratch/stdout" 2>"$scratch/stderr"
    echo "exit $?" >"$scratch/status"
    cat "$scratch/stdout" "$scratch/stderr" "$scratch/status" >"$scratch/out"
}
for manifest in "$here"/*.yaml; do
    name=$(basename "$manifest" .yaml)
    said -f "$manifest"
    expected "$here/$name.txt" "$name"
done
said -o json -f "$here/one.yaml"
expected "$here/one-json.txt" "one object is one Status"
said -o json --strict -f "$here/one.yaml"
expected "$here/strict-json.txt" "unknown fields fail when strict"
said -o json -f "$here/one.yaml" -f "$here/anchor.yaml" -f "$here/empty.yaml" -f "$here/missing.yaml"
expected "$here/several-json.txt" "several are a List, files that are no manifest among them"
said <"$here/one.yaml" -f -
expected "$here/stdin.txt" "standard input"
said
expected "$here/usage.txt" "a file must be named"
mkdir "$scratch/folder" "$scratch/none"
cp "$here/one.yaml" "$scratch/folder/b.yml"
cp "$here/empty.yaml" "$scratch/folder/a.yaml"
cp "$here/anchor.yaml" "$scratch/folder/c.txt"
said -f "$scratch/folder" -f "$scratch/none" -f https://example.org/vm.yaml
sed -i "s|$scratch|SCRATCH|" "$scratch/out"
expected "$here/folder.txt" "a folder is the manifests in it; a URL is refused"
if [ -w /dev/full ]; then
    {
        "$rtvmd" check -f "$here/one.yaml" >/dev/full
        echo "exit $?"
        "$rtvmd" explain vmi.spec >/dev/full
        echo "exit $?"
    } >"$scratch/out" 2>&1
    expected "$here/full.txt" "output that cannot be written is a failure"
else
    n=$((n + 1))
    echo "ok $n - output that cannot be written is a failure # SKIP there is no /dev/full"
fi
explain() { # ARGUMENTS
    echo "\$ rtvmd explain $*"
    "$rtvmd" explain "$@" 2>&1
    echo "exit $?"
}
{
    explain vmi.spec.domain.cpu.realtime
    explain vm.spec.runStrategy
    explain vm.spec.template.spec.domain.memory.hugepages.pageSize
    explain spec.affinity
    explain annotations
    explain vmi.spec.domain.cpu.realtim.mask
    explain vmi.nothing
    explain -o json vmi.spec.domain.cpu.numa
    explain
} >"$scratch/out"
expected "$here/explain.txt" "explain tells what a field is"
"$rtvmd" explain --matrix | grep -E '^(FIELD|vmi?\.spec\.(domain\.cpu\.[a-z]*|tolerations\.key|running|instancetype\.name)) ' |
    tr -s ' ' >"$scratch/out"
expected "$here/matrix.txt" "the support matrix knows what is below an ignored field"
echo "1..$n"
exit "$failed"
