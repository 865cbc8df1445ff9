# Sourced by the integration tests, from the root of the tree: TAP, the lab, and cleaning up. One test at a time uses
# the machine: /tmp/rtvmd-lab.lock is held (descriptor 9) until the test ends.
# shellcheck shell=sh
BUILD=${BUILD:-build}
# RTVMD_BINARY: another build of the program to test, say the static one.
RTVMD_BINARY=${RTVMD_BINARY:-$BUILD/rtvmd}
export BUILD RTVMD_BINARY
number=0

ok() {
    number=$((number + 1))
    echo "ok $number - $*"
}

not_ok() {
    number=$((number + 1))
    failed=1
    echo "not ok $number - $*"
}

# check NAME COMMAND…: one result; its output is shown when it fails
check() {
    check_name=$1
    shift
    if check_output=$("$@" 2>&1); then
        ok "$check_name"
    else
        not_ok "$check_name"
        echo "$check_output" | sed 's/^/# /'
    fi
}

skip() {
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}

skip_all() {
    skip "$1" "$2"
    echo "1..$number"
    exit 0
}

finish() {
    echo "1..$number"
    exit "${failed:-0}"
}

# lab_up NAME: root, two CPUs and the lab, or the whole test is skipped by this name
lab_up() {
    [ "$(id -u)" -eq 0 ] || skip_all "$1" "needs root"
    [ "$(nproc --all)" -ge 2 ] || skip_all "$1" "needs two CPUs"
    command -v libvirtd >/dev/null || command -v virtqemud >/dev/null || skip_all "$1" "needs libvirtd and QEMU: make deps"
    exec 9>/tmp/rtvmd-lab.lock
    flock 9
    folder=$(mktemp -d /tmp/rtvmd-test-XXXXXX)
    chmod 0755 "$folder"
    trap 'lab_clean' EXIT
    trap 'exit 1' INT TERM
    if ! tests/setup/lab.sh up 2>"$folder/lab.log" 9>&-; then
        sed 's/^/# /' "$folder/lab.log"
        not_ok "$1: the lab comes up"
        exit 1
    fi
    lab_env=$(tests/setup/lab.sh env)
    eval "$lab_env"
}

# A test that starts more than the lab puts its own cleaning into clean_up().
lab_clean() {
    if command -v clean_up >/dev/null; then clean_up; fi
    tests/setup/lab.sh down 2>>"$folder/lab.log" 9>&-
    rm -rf "$folder"
}

# wait_for SECONDS COMMAND…: tries four times a second
wait_for() {
    tries=$(($1 * 4))
    shift
    while [ "$tries" -gt 0 ]; do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.25
        tries=$((tries - 1))
    done
    echo "gave up waiting for: $*" >&2
    return 1
}
