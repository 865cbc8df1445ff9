#!/bin/sh
# rtvmd latency on recorded runs (tests/golden/latency), and a short run on this machine of which only the form is
# judged.
set -u
rtvmd=${BUILD:-build}/rtvmd
here=tests/golden/latency
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
n=0
failed=0
result() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2" && failed=1; fi
}
expected() { # FILE ARGUMENTS...
    file=$here/$1
    shift
    "$rtvmd" latency "$@" >"$scratch/out" 2>&1
    if [ "${GOLDEN:-}" = rewrite ]; then cp "$scratch/out" "$file"; fi
    diff -u "$file" "$scratch/out" | sed 's/^/# /'
    cmp -s "$file" "$scratch/out"
    result $? "latency $*"
}
expected show.txt show "$here/before.json"
expected compare.txt compare "$here/before.json" "$here/after.json"
expected export.csv export "$here/after.json" --format csv
expected export.openmetrics export "$here/after.json" --format openmetrics
expected compare-same.txt compare "$here/after.json" "$here/again.json"
expected report.html export "$here/before.json" --format html --against "$here/after.json"

# What comes out of a run is text, whatever it says.
jq '.target = "<script>\"&"' "$here/after.json" >"$scratch/evil.json"
"$rtvmd" latency export "$scratch/evil.json" --format html --gate 25us >"$scratch/evil.html" &&
    grep -q '<h1>Latency of &lt;script&gt;&quot;&amp;</h1>' "$scratch/evil.html" && grep -q '>gate 25.0 µs<' "$scratch/evil.html" &&
    ! grep -q '<script' "$scratch/evil.html"
result $? "export as HTML: what a run says is escaped, the gate is drawn"

refused() { # STATUS WORDS ARGUMENTS...
    status=$1 words=$2
    shift 2
    "$rtvmd" latency "$@" >"$scratch/out" 2>&1
    [ $? -eq "$status" ] && grep -q -- "$words" "$scratch/out"
    result $? "latency $* is refused"
}
refused 2 "want one of host" nonsense
refused 2 "--format xml" export "$here/after.json" --format xml
refused 2 "only for --format html" export "$here/after.json" --format csv --gate 1us
refused 2 "--gate" export "$here/after.json" --format html --gate 40
refused 2 "want rtvmd latency ab" ab --cpus 1
refused 2 "--rounds" ab --knob rcu --cpus 1 --rounds 41
refused 2 "--kind" host --kind wrong
refused 2 "--duration" host --duration 8d
refused 2 "not ours to use" host --cpus 1023 --duration 1s
refused 3 "not found" show nothing --state-dir "$scratch"
echo '{"format": 1, "measurements": [{"kind": "gaps", "cpu": -1}]}' >"$scratch/bad.json"
refused 2 "measurements\[0\]" show "$scratch/bad.json"

if "$rtvmd" latency host --kind timer --duration 300ms --state-dir "$scratch" --name short -o json >"$scratch/out" 2>&1; then
    "$rtvmd" latency list --state-dir "$scratch" | grep -q '^short .*no verdict' &&
        grep -q '"kind": "timer"' "$scratch/out" && grep -q '"disturbance"' "$scratch/out"
    result $? "a short run on this machine is kept; without load it gets no verdict"
    refused 4 "exists" host --kind timer --duration 50ms --state-dir "$scratch" --name short
elif grep -q "name at least one CPU" "$scratch/out"; then
    n=$((n + 1))
    echo "ok $n - a short run on this machine # SKIP there is one CPU"
else
    result 1 "a short run on this machine"
fi
knob=/proc/sys/vm/stat_interval
if [ -w $knob ] && [ "$(cat $knob)" -lt 10 ] && [ "$(nproc --all)" -ge 2 ]; then
    before=$(cat $knob)
    "$rtvmd" latency ab --knob statistics --cpus 1 --kind timer --duration 100ms --rounds 1 --name ab --state-dir "$scratch" \
        >"$scratch/out" 2>&1 && grep -q 'knobs.ab: statistics: as it was -> statistics: turned' "$scratch/out" &&
        grep -q 'Knob statistics (1 changes): .*; it is as it was' "$scratch/out" && [ "$(cat $knob)" = "$before" ] &&
        "$rtvmd" latency list --state-dir "$scratch" | grep -q '^ab-b '
    result $? "latency ab: a knob is turned, measured and put back"
    refused 2 "want one of kernel-threads" ab --knob nonsense --cpus 1 --state-dir "$scratch"
else
    n=$((n + 1))
    echo "ok $n - latency ab # SKIP needs root, two CPUs and $knob below 10"
fi
echo "1..$n"
exit $failed
