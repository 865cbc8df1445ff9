#!/bin/sh
# From a manifest to a running domain, beside `virsh create` of the same XML: real libvirt and QEMU in the lab, in turn,
# medians. Both are timed by the same clock: from the start of the client program (curl, virsh) to the moment libvirt
# says that the guest runs. Ours ends with a proven VM, and begins with a commit to disk.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/bench/bench_lib.sh
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
rounds=${BENCH_ROUNDS:-11}
LAB_PAGES_2M=128 LAB_PAGES_1G=0
export LAB_PAGES_2M LAB_PAGES_1G
lab_up "create: a VM beside virsh create"
: >"$folder/ours"
: >"$folder/theirs"
events_pid=""

stop_listening() {
    [ -z "$events_pid" ] || kill "$events_pid"
}

# Every change of any domain, with the time it came: "2026-11-27 12:00:00.123+0000: event 'lifecycle' for …".
listen() {
    stdbuf -oL virsh -c "$LAB_URI" event --event lifecycle --loop --timestamp >>"$folder/events" 2>&1 9>&- &
    events_pid=$!
}

# milliseconds_until_running DOMAIN LINE SINCE-NANOSECONDS: LINE is what libvirt says when its guest begins to run
milliseconds_until_running() {
    wait_for 60 grep -qE "domain '?$1'?: $2" "$folder/events" || return 1
    at=$(grep -E "domain '?$1'?: $2" "$folder/events" | tail -n 1 | sed 's/: event .*//')
    echo $((($(date -d "$at" +%s%N) - $3) / 1000000))
}

ours() {
    : >"$folder/events"
    since=$(date +%s%N)
    api POST "$vms" "$(probe_manifest bench)" >/dev/null || return 1
    milliseconds_until_running default_bench Resumed "$since" >>"$folder/ours"
    wait_for 60 phase_is bench Running
}

ours_goes() {
    api DELETE "$vms/bench" >/dev/null
    wait_for 60 leaves_nothing bench
}

theirs() {
    mkdir -p "$folder/run/virsh_bench"
    cp "$folder"/kept/* "$folder/kept-now/"
    : >"$folder/events"
    since=$(date +%s%N)
    lab_virsh create "$folder/bench.xml" >/dev/null || return 1
    milliseconds_until_running virsh_bench "(Started|Resumed)" "$since" >>"$folder/theirs"
    lab_virsh destroy virsh_bench >/dev/null
}

# The XML libvirt holds of our VM, under another name, on copies of its files.
keep_xml() {
    mkdir -p "$folder/kept" "$folder/kept-now"
    lab_virsh dumpxml --inactive default_bench >"$folder/bench.xml" || return 1
    sed -n "s/.*<source file='\([^']*\)'.*/\1/p" "$folder/bench.xml" >"$folder/files"
    while read -r file; do
        cp "$file" "$folder/kept/"
        sed -i "s|'$file'|'$folder/kept-now/${file##*/}'|" "$folder/bench.xml"
    done <"$folder/files"
    sed -i -e '/<uuid>/d' -e 's/default_bench/virsh_bench/g' "$folder/bench.xml"
}

listen
daemon_start || exit 1
{ ours && keep_xml && ours_goes; } || exit 1
: >"$folder/ours"
for _ in $(seq "$rounds"); do
    if ! { ours && ours_goes && theirs; }; then
        tail -n 5 "$folder/daemon.log"
        exit 1
    fi
done
stop_listening
mine=$(median <"$folder/ours")
virsh=$(median <"$folder/theirs")
echo "create: from manifest to running guest: median $mine ms, virsh create $virsh ms ($rounds times each, in turn)"
budget "create: from manifest to running guest / virsh create" "$(awk "BEGIN { printf \"%.2f\", $mine / $virsh }")" "<=" 1.1
