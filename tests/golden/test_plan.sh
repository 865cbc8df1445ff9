#!/bin/sh
# rtvmd plan: a standard set of VMs on recorded hosts, a line for each (plan/HOST.txt; plan/shared/HOST.txt for the
# machines beside the repository), and the words a person reads (plan/words.txt).
set -u
rtvmd=${BUILD:-build}/rtvmd
here=tests/golden/plan
shared=../shared
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
n=0
failed=0
result() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2" && failed=1; fi
}
expected() { # FILE NAME: compares $scratch/out with FILE
    if [ "${GOLDEN:-}" = rewrite ]; then cp "$scratch/out" "$1"; fi
    diff -u "$1" "$scratch/out" >"$scratch/diff" 2>&1
    status=$?
    sed 's/^/# /' "$scratch/diff"
    result $status "$2"
}
plan_all() { # HOST MANIFEST...
    "$rtvmd" host -o json --host "$1" >"$scratch/host.json"
    shift
    python3 tests/golden/plan_lines.py "$rtvmd" "$scratch/host.json" "$@"
}
for host in tests/golden/hosts/*/; do
    name=$(basename "$host")
    plan_all "$host" "$here"/*.yaml >"$scratch/out" 2>&1
    expected "$here/$name.txt" "plans on $name"
done

{
    for arguments in "seed.yaml --host tests/golden/hosts/two-node-smt -o wide" \
        "seed.yaml --host tests/golden/hosts/one-node-2cpu" \
        "three.yaml --host tests/golden/hosts/two-node-smt --reserved-cpus 0-1 --claimed-cpus 2-13" \
        "isolate-2.yaml --host tests/golden/hosts/two-node-smt --claimed-cpus 2-7,11-15" \
        "seed.yaml --host tests/golden/hosts/two-node-smt -o yaml" \
        "three.yaml --host tests/golden/hosts/hybrid -o wide" \
        "page-sizes.yaml --host tests/golden/hosts/two-node-nosmt -o wide" \
        "page-sizes.yaml --host tests/golden/hosts/laptop"; do
        echo "\$ rtvmd plan -f $arguments"
        # shellcheck disable=SC2086  # words on purpose
        "$rtvmd" plan -f "$here"/$arguments
        echo "exit $?"
    done
} >"$scratch/out" 2>&1
expected "$here/words.txt" "what a person reads"

# The machines of `make test-edge PART=shapes`, as recorded there, and the VMs it runs.
# shellcheck source=tests/edge/shapes_vms.sh
. tests/edge/shapes_vms.sh
for host in "$here"/edge/*.json; do
    name=$(basename "$host" .json)
    for vm in mixed uneven whole alone beside floating bare growing; do
        vm $vm | "$rtvmd" plan -f - --host "$host" --emulation on | grep -v '^  warning: '
    done >"$scratch/out" 2>&1
    expected "$here/edge/$name.txt" "shapes of the edge host on $name"
done

refuses() { # EXIT NAME ARGUMENTS...
    wanted=$1 name=$2
    shift 2
    "$rtvmd" plan "$@" >"$scratch/out" 2>&1
    status=$?
    [ "$status" -eq "$wanted" ] || sed 's/^/# /' "$scratch/out"
    test "$status" -eq "$wanted"
    result $? "$name"
}
host=tests/golden/hosts/two-node-smt
refuses 2 "no manifest" --host "$host"
refuses 3 "a manifest that is not there" -f "$scratch/none.yaml" --host "$host"
refuses 2 "an unknown output format" -f "$here/seed.yaml" --host "$host" -o toml
refuses 2 "a bad CPU list" -f "$here/seed.yaml" --host "$host" --reserved-cpus 3-1
refuses 2 "a bad choice of emulation" -f "$here/seed.yaml" --host "$host" --emulation maybe
sed 's/kind: VirtualMachine/kind: [/' "$here/seed.yaml" >"$scratch/bad.yaml"
refuses 2 "a manifest that is not YAML" -f "$scratch/bad.yaml" --host "$host"
sed 's/dedicatedCpuPlacement: true/dedicatedCpuPlacement: false/' "$here/seed.yaml" >"$scratch/rejected.yaml"
refuses 2 "a manifest KubeVirt would reject" -f "$scratch/rejected.yaml" --host "$host"
printf 'kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n' >"$scratch/other.yaml"
refuses 2 "a manifest without a VM" -f "$scratch/other.yaml" --host "$host"
refuses 5 "a VM that does not fit" -f "$here/wide-12.yaml" --host tests/golden/hosts/one-node-2cpu

found=no
for archive in "$shared"/hosts/*.tar.bz2 "$shared"/kubevirt-verdicts/*.tar.xz; do
    [ -e "$archive" ] || continue
    found=yes
    name=$(basename "${archive%.tar.*}")
    [ -e "$here/shared/$name.txt" ] || [ "${GOLDEN:-}" = rewrite ] || continue
    mkdir "$scratch/tree" && tar -xf "$archive" -C "$scratch/tree"
    plan_all "$scratch/tree" "$here/seed.yaml" "$here/dedicated-4.yaml" "$here/wide-12.yaml" "$here/three.yaml" \
        >"$scratch/out" 2>&1
    mkdir -p "$here/shared"
    expected "$here/shared/$name.txt" "plans on $name"
    rm -rf "$scratch/tree"
done
if [ $found = no ]; then
    n=$((n + 1))
    echo "ok $n - plans on recorded machines # SKIP $shared/hosts is not there"
fi
echo "1..$n"
exit $failed
