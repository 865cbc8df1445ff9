# Sourced by the integration tests that need neither root nor the lab, from the root of the tree: TAP, a folder of their
# own ($scratch), and a daemon on libvirt's test driver ($daemon) that ends with the test.
# shellcheck shell=sh disable=SC2034  # variables are for those who source this
rtvmd=${RTVMD_BINARY:-${BUILD:-build}/rtvmd}
scratch=$(mktemp -d) || exit 1
n=0
failed=0
daemon=""
# shellcheck disable=SC2317  # called by the trap
clean_up() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null
    rm -rf "$scratch"
}
trap clean_up EXIT
result() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2" && failed=1; fi
}
skip() { # NAME WHY
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}
skip_all() { # NAME WHY
    skip "$@"
    echo "1..1"
    exit 0
}
serve() { # ARGUMENTS: sets daemon, url and port; its log is $scratch/log
    RTVMD_SOCKET=$scratch/sock
    export RTVMD_SOCKET
    : >"$scratch/log"
    "$rtvmd" serve --state-dir "$scratch/state" --run-dir "$scratch/run" --socket "$RTVMD_SOCKET" --libvirt test:///default "$@" 2>>"$scratch/log" &
    daemon=$!
    for _ in $(seq 300); do
        grep -q 'listening url=' "$scratch/log" && break
        sleep 0.1
    done
    url=$(sed -n 's/.*listening url=\(http[^ ]*\).*/\1/p' "$scratch/log")
    port=${url##*:}
}
