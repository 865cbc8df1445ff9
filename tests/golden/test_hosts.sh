#!/bin/sh
# rtvmd host on recorded machines: our own (tests/golden/hosts, expected text and JSON beside them) and, when they are
# there, the machines of ../shared: each is unpacked and compared with what hwloc (or libvirt) read from the same tree.
set -u
rtvmd=${BUILD:-build}/rtvmd
here=tests/golden/hosts
shared=../shared
# Thousands of small files: in memory where there is such a place.
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
n=0
failed=0
result() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2" && failed=1; fi
}
skip() {
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

expected() { # FILE NAME: compares $scratch/out with FILE
    if [ "${GOLDEN:-}" = rewrite ]; then cp "$scratch/out" "$1"; fi
    diff -u "$1" "$scratch/out" | sed 's/^/# /'
    cmp -s "$1" "$scratch/out"
    result $? "$2"
}
for folder in "$here"/*/; do
    name=$(basename "$folder")
    { "$rtvmd" host --host "$folder" && echo && "$rtvmd" host -o wide --host "$folder" | sed '1,/^$/d' &&
        echo && "$rtvmd" host -o map --host "$folder"; } >"$scratch/out" 2>&1
    expected "$here/$name.txt" "$name: tables and map"
    "$rtvmd" host -o json --host "$folder" >"$scratch/first.json" 2>&1 &&
        "$rtvmd" host -o json --host "$scratch/first.json" >"$scratch/second.json" 2>&1 &&
        cmp "$scratch/first.json" "$scratch/second.json"
    result $? "$name: the snapshot survives the round trip"
done

compare() { # ARCHIVE EXPECTED
    name=$(basename "$1")
    tree=$scratch/${name%.tar.*}
    mkdir "$tree" && tar -xf "$1" -C "$tree" &&
        "$rtvmd" host -o json --host "$tree" >"$scratch/host.json" &&
        "$rtvmd" host -o json --host "$scratch/host.json" | cmp - "$scratch/host.json" &&
        { [ ! -e "$2" ] || python3 tests/golden/compare_topology.py "$scratch/host.json" "$2"; }
    status=$?
    what="as expected"
    [ -e "$2" ] || what="readable"
    result $status "$name: $what"
    rm -rf "$tree"
}
for archive in "$shared"/hosts/*.tar.bz2; do
    if [ -e "$archive" ]; then
        compare "$archive" "${archive%.tar.bz2}.output"
    else
        skip "machines recorded by hwloc" "$shared/hosts is not there"
    fi
done
for archive in "$shared"/kubevirt-verdicts/*.tar.xz; do
    if [ -e "$archive" ]; then
        compare "$archive" "${archive%.tar.xz}.json"
    else
        skip "machines of the recorded verdicts" "$shared/kubevirt-verdicts is not there"
    fi
done

refused() { # NAME EXPECTED-WORDS ARGUMENTS...
    what=$1 words=$2
    shift 2
    "$rtvmd" host "$@" >"$scratch/out" 2>&1
    [ $? -eq 2 ] && grep -q "$words" "$scratch/out"
    result $? "$what"
}
mkdir -p "$scratch/deep/name/cpuid" && cp -r "$here/one-node-8cpu" "$scratch/deep/name/fsroot"
"$rtvmd" host --host "$scratch/deep" >"$scratch/out" && "$rtvmd" host --host "$here/one-node-8cpu" | cmp -s - "$scratch/out"
result $? "a tree two levels below is found"
mkdir "$scratch/empty"
echo '{"cpus": [{"id": 2000, "online": true}]}' >"$scratch/bad.json"
echo '{"cpus": []}' >"$scratch/none.json"
refused "a folder without a tree is refused" "no CPU is listed" --host "$scratch/empty"
refused "a snapshot out of range is refused by field" 'cpus\[0\].id' --host "$scratch/bad.json"
refused "a snapshot without CPUs is refused" "at least one CPU" --host "$scratch/none.json"
refused "an unknown output format is refused" "want json" -o xml

if command -v strace >/dev/null && strace -o "$scratch/trace" true 2>/dev/null; then
    strace -f -e trace=open,openat,execve -o "$scratch/trace" "$rtvmd" host >/dev/null 2>&1
    # Whatever the C library, the loader and libnuma read for themselves does not count; a frequency never may.
    grep -q 'sys/devices/system/cpu/online' "$scratch/trace" && ! grep -q 'cur_freq' "$scratch/trace"
    result $? "the live machine is read without asking for a current frequency"
else
    skip "the live machine is read without asking for a current frequency" "strace cannot trace here"
fi
echo "1..$n"
exit $failed
