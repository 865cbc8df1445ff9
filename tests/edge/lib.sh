# shellcheck shell=sh
# What the scripts that run inside the edge host share: results as TAP, counted over its boots. Sourced in /edge.
state=/var/lib/edge
mkdir -p "$state"
number=$(cat "$state/number" 2>/dev/null || echo 0)

note() {
    sed 's/^/# /'
}

# check NAME COMMAND…: one result, with its duration; what the command says is always shown
check() {
    check_name=$1
    shift
    number=$((number + 1))
    echo "$number" >"$state/number"
    before=$(cut -d. -f1 /proc/uptime)
    if "$@" >"$state/output" 2>&1; then word="ok"; else word="not ok"; fi
    echo "$word $number - $check_name"
    { cat "$state/output"; echo "($(($(cut -d. -f1 /proc/uptime) - before)) s)"; } | note
    [ "$word" = ok ]
}

# within SECONDS COMMAND…
within() {
    left=$1
    shift
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 1
    done
}

end() {
    echo "1..$number"
    sync
    systemctl --no-block poweroff
    exit 0
}

echo "# boot $(cat /proc/sys/kernel/random/boot_id), uptime $(cut -d' ' -f1 /proc/uptime) s"
