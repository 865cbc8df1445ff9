#!/bin/sh
# The API under load, with a thousand VMs on libvirt's test driver: reads, lists, watches, TLS, memory per connection, and
# durable creates beside etcd on the same disk in the same run.
#
# Rates are also given per second of the server's own CPU time: what its one thread can do when nobody else wants the
# CPU, and therefore what budgets are compared with. Times are measured at a fixed rate, as answers to clients that do
# not wait for one another; at full load a hundred clients only measure how long the queue is that they make. What is
# compared is measured in turns, ROUNDS times, and the medians are given: whatever else the machine does for a second
# must not decide.
#
# etcd is asked in its own tongue, gRPC over HTTP/2, by the same load generator, with as many connections and the bytes
# rtvmd stores for the same VM. rtvmd parses, completes, validates and answers the object besides, and writes a status.
set -eu
cd "$(dirname "$0")/../.." || exit 1
. tests/bench/bench_lib.sh
BUILD=${BUILD:-build}
dir=${BENCH_DIR:-$BUILD/bench}/api
vms=/apis/kubevirt.io/v1/namespaces/default/virtualmachines
maps=/api/v1/namespaces/default/configmaps
port=${BENCH_PORT:-17443}
rounds=${ROUNDS:-5}
etcd_port=$((port + 1))
rtvmd_pid="" etcd_pid=""
rm -rf "$dir"
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

clean_up() {
    for pid in $rtvmd_pid $etcd_pid; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

get() {
    curl -sS --fail-with-body -A bench --unix-socket "$dir/api.sock" "http://rtvmd$1"
}

# wait_for COMMAND…: ten seconds
wait_for() {
    tries=100
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { echo "api: gave up waiting for: $*" >&2; return 1; }
        sleep 0.1
    done
}

start_rtvmd() {
    "$BUILD/rtvmd" serve --state-dir "$dir/state" --socket "$dir/api.sock" --libvirt test:///default --log-level warn \
        --listen "127.0.0.1:$port" 2>>"$dir/rtvmd.log" </dev/null &
    rtvmd_pid=$!
    wait_for get /readyz
    sleep 1 # the host has been tried, its thread is gone
}

stop_rtvmd() {
    kill "$rtvmd_pid"
    wait "$rtvmd_pid" || true
    rtvmd_pid=""
}

etcd_answers() {
    curl -sS --fail "http://127.0.0.1:$etcd_port/health"
}

start_etcd() {
    etcd --data-dir "$dir/etcd" --listen-client-urls "http://127.0.0.1:$etcd_port" \
        --advertise-client-urls "http://127.0.0.1:$etcd_port" --listen-peer-urls "http://127.0.0.1:$((port + 2))" \
        >"$dir/etcd.log" 2>&1 </dev/null &
    etcd_pid=$!
    wait_for etcd_answers
}

# unpack KEY FILE: one value of the kubeconfig
unpack() {
    sed -n "s/^ *$1: *//p" "$dir/kubeconfig" | tr -d '"' | base64 -d >"$dir/$2"
}

client_certificate() {
    "$BUILD/rtvmd" kubeconfig --state-dir "$dir/state" --server "https://127.0.0.1:$port" >"$dir/kubeconfig"
    unpack certificate-authority-data ca.crt
    unpack client-certificate-data client.crt
    unpack client-key-data client.key
}

# local MODE OPTION…, tls MODE OPTION…, put OPTION…: the load generator's figures
local_() {
    "$BUILD/tests/bench/bench_api" "$@" --to "$dir/api.sock" --pid "$rtvmd_pid"
}
tls() {
    "$BUILD/tests/bench/bench_api" "$@" --to "$port" --tls "$dir" --pid "$rtvmd_pid"
}
put() {
    "$BUILD/tests/bench/bench_api" load --etcd --to "$etcd_port" --pid "$etcd_pid" --path /bench/@ "$@"
}

# word N WORD…
word() {
    shift "$1"
    echo "$1"
}

ratio() {
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", a / b }'
}

vm_count() {
    get "$vms" | jq '[.items[] | select(.status.printableStatus == "Stopped")] | length'
}

has_settled() {
    [ "$(vm_count)" -eq "$1" ]
}

memory() {
    start_rtvmd
    client_certificate
    plain=$(local_ memory --clients 500 --path /healthz)
    stop_rtvmd
    start_rtvmd
    secure=$(tls memory --clients 100 --path /healthz)
    stop_rtvmd
    echo "api: memory per idle connection: $plain KiB plain, $secure KiB over TLS (mbedTLS keeps two buffers of 16 KiB)"
}

# say WHAT RATE MEDIAN P99 CPU-RATE [LATE SERVER-WAITS GENERATOR-WAITS]
say() {
    echo "api: $1: $2/s, median $3 ms, p99 $4 ms; $5 per second of the server's CPU"
    [ $# -lt 8 ] || echo "api:     of which not the server's: sent late by this program, p99 $6 ms; ready to run and without" \
        "a CPU: the server $7% of the time, this program $8%"
}

# medians FILE: of each column of figures
medians() {
    for column in 1 2 3 4 5 6 7; do
        cut -d' ' -f$column "$1" | median
    done
}

make_vms() {
    jq -c -n --arg n "vm-@" '{apiVersion: "kubevirt.io/v1", kind: "VirtualMachine", metadata: {name: $n},
        spec: {runStrategy: "Halted", template: {metadata: {labels: {"kubevirt.io/vm": $n}}, spec: {
            terminationGracePeriodSeconds: 5,
            domain: {cpu: {cores: 2, model: "host-passthrough", dedicatedCpuPlacement: true,
                    numa: {guestMappingPassthrough: {}}, realtime: {}}, ioThreadsPolicy: "auto",
                memory: {guest: "1Gi", hugepages: {pageSize: "1Gi"}},
                resources: {requests: {memory: "1Gi"}, limits: {memory: "1Gi"}},
                devices: {autoattachGraphicsDevice: false, autoattachMemBalloon: false, autoattachPodInterface: false,
                    rng: {}, disks: [{name: "root", disk: {bus: "virtio"}}, {name: "seed", disk: {bus: "virtio"}}]}},
            volumes: [{name: "root", containerDisk: {image: "quay.io/containerdisks/debian:12"}},
                {name: "seed", cloudInitNoCloud: {userData: "#cloud-config\nhostname: vm\n"}}]}}}}' >"$dir/vm.json"
    local_ load --method POST --path "$vms" --body "$dir/vm.json" --clients 16 --count 1000 >/dev/null
    wait_for has_settled 1000
    # what rtvmd stores for it, under a name of each one's own
    get "$vms/vm-00000001" | sed 's/vm-00000001/vm-@/g' | tr -d '\n' >"$dir/stored.json"
    jq -c '{apiVersion: "v1", kind: "ConfigMap", metadata: {name: "map-@"}, data: {vm: tostring}}' "$dir/stored.json" |
        tr -d '\n' >"$dir/map.json"
}

reads() {
    one=$vms/vm-00000500
    # shellcheck disable=SC2046,SC2086  # figures are words
    {
        say "GET, 1 client" $(local_ load --path "$one" --clients 1)
        figures=$(local_ load --path "$one" --clients 100)
        say "GET, 100 clients" $figures
        budget "api: GET, 100 clients, per second of the server's CPU" "$(word 4 $figures)" ">=" 40000 "/s"
        nothing=$(local_ load --path /healthz --clients 100)
        say "a page that says ok, 100 clients" $nothing
        echo "api: CPU of a GET / of the page that says ok: $(ratio "$(word 4 $nothing)" "$(word 4 $figures)")"
        for round in $(seq "$rounds"); do
            local_ load --path /healthz --clients 100 --rate 5000 >>"$dir/ok"
            local_ load --path "$one" --clients 100 --rate 5000 >>"$dir/get"
            local_ load --method POST --path "$maps" --body "$dir/map.json" --clients 100 --rate 200 --from ${round}000 >>"$dir/beside" &
            local_ load --path "$one" --clients 100 --rate 5000 >>"$dir/get-beside"
            wait $!
        done
        say "a page that says ok, 100 clients, 5000/s" $(medians "$dir/ok")
        figures=$(medians "$dir/get")
        say "GET, 100 clients, 5000/s" $figures
        say "the same while 200 ConfigMaps/s are created" $(medians "$dir/get-beside")
        budget "api: p99 of GET, 100 clients, 5000/s" "$(word 3 $figures)" "<" 2 ms
        say "GET over TLS, 1 client" $(tls load --path "$one" --clients 1)
        say "GET over TLS, 100 clients" $(tls load --path "$one" --clients 100)
        size=$(get "$vms" | wc -c)
        say "list of 1,000 VMs ($((size / 1024)) KiB), 4 clients" $(local_ load --path "$vms" --clients 4)
        say "list of 1,000 VMs over TLS, 4 clients" $(tls load --path "$vms" --clients 4)
        set -- $(tls handshake --clients 4)
        echo "api: TLS handshakes with client certificate: $1/s; $2 per second of the server's CPU"
        set -- $(tls handshake --clients 4 --resume) "$2"
        echo "api: TLS handshakes resumed by ticket: $1/s; $2 per second of the server's CPU, $(ratio "$2" "$3") times as many"
    }
}

watches() {
    one=$vms/vm-00000500
    for watchers in 1 200; do
        # shellcheck disable=SC2046
        set -- $(local_ watch --clients $watchers --path "$vms?watch=true&fieldSelector=metadata.name=vm-00000500" \
            --object "$one")
        echo "api: a write told to $watchers watchers: the writer has its answer after $1 ms, the last watcher the change" \
            "after $2 ms (p99 $3 ms)"
        [ "$watchers" -gt 1 ] || first=$2
    done
    echo "api: 199 watchers more: $(awk -v a="$first" -v b="$2" 'BEGIN { printf "%.1f\n", (b - a) * 1000 / 199 }') us each"
}

# Interleaved, so that the disk is the same for all.
writes() {
    start_etcd
    from=100000
    for clients in 1 16 100; do
        # shellcheck disable=SC2046,SC2086
        {
            ours=$(local_ load --method POST --path "$vms" --body "$dir/vm.json" --clients $clients --from $from)
            theirs=$(put --body "$dir/stored.json" --clients $clients --from $from)
            maps_=$(local_ load --method POST --path "$maps" --body "$dir/map.json" --clients $clients --from $from)
            say "creates of VMs, $clients clients" $ours
            say "creates of ConfigMaps, $clients clients" $maps_
            say "etcd, puts of the same bytes, $clients clients" $theirs
            echo "api: creates, $clients clients: VMs $(ratio $(word 1 $ours) $(word 1 $theirs)), ConfigMaps" \
                "$(ratio $(word 1 $maps_) $(word 1 $theirs)) of etcd's rate; of its rate per CPU second" \
                "$(ratio $(word 4 $ours) $(word 4 $theirs)) and $(ratio $(word 4 $maps_) $(word 4 $theirs))"
        }
        from=$((from * 2))
    done
    for round in $(seq "$rounds"); do
        put --body "$dir/stored.json" --clients 100 --rate 200 --from "${round}00000" >>"$dir/etcd-puts"
        local_ load --method POST --path "$vms" --body "$dir/vm.json" --clients 100 --rate 200 --from "$((900 + round))000" >>"$dir/creates"
    done
    # shellcheck disable=SC2046,SC2086
    {
        ours=$(medians "$dir/creates")
        say "creates of VMs, 100 clients, 200/s" $ours
        say "etcd, puts of the same bytes, 100 clients, 200/s" $(medians "$dir/etcd-puts")
        budget "api: p99 of durable creates of VMs, 100 clients, 200/s" "$(word 3 $ours)" "<" 20 ms
    }
}

memory
start_rtvmd
make_vms
reads
watches
writes
