#!/bin/sh
# The same VMs on the same hosts, placed by models of kubelet + KubeVirt and of Nova, and by rtvmd (peers.txt).
set -u
rtvmd=${BUILD:-build}/rtvmd
here=tests/golden
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
"$rtvmd" host -o json --host "$here/hosts/two-node-smt" >"$scratch/two-node-smt.json"
python3 "$here/peers.py" "$rtvmd" "$scratch/two-node-smt.json" >"$scratch/out" 2>&1
if [ "${GOLDEN:-}" = rewrite ]; then cp "$scratch/out" "$here/peers.txt"; fi
status=0
diff -u "$here/peers.txt" "$scratch/out" >"$scratch/diff" || status=1
sed 's/^/# /' "$scratch/diff"
[ $status -eq 0 ] || printf 'not '
echo "ok 1 - placements beside those of the peers"
echo "1..1"
exit $status
