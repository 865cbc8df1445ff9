#!/bin/sh
# rtvmd render on recorded hosts. tests/golden/render/NAME.yaml says in its first lines on which host and with which
# further arguments; NAME.xml is the domain, NAME.said what is printed beside it and the exit code. The examples are
# rendered as well. Every domain must be valid by the schema of the libvirt that is installed.
set -u
rtvmd=${BUILD:-build}/rtvmd
here=tests/golden/render
schema=/usr/share/libvirt/schemas/domain.rng
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
n=0
failed=0
result() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2" && failed=1; fi
}

expected() { # PRODUCED EXPECTED: a missing file is an empty one
    if [ "${GOLDEN:-}" = rewrite ]; then
        if [ -s "$1" ]; then cp "$1" "$2"; else rm -f "$2"; fi
    fi
    [ -e "$2" ] || set -- "$1" /dev/null
    diff -u "$2" "$1" | sed 's/^/# /'
    cmp -s "$2" "$1"
}

render() { # NAME MANIFEST HOST ARGUMENTS...
    name=$1 manifest=$2 host=$3
    shift 3
    "$rtvmd" render -f "$manifest" --host "tests/golden/hosts/$host" --state-dir /var/lib/rtvmd --run-dir /run/rtvmd "$@" \
        >"$scratch/$name.xml" 2>"$scratch/said"
    echo "exit $?" >>"$scratch/said"
    expected "$scratch/$name.xml" "$here/$name.xml"
    status=$?
    expected "$scratch/said" "$here/$name.said" || status=1
    result $status "$name"
    [ -s "$scratch/$name.xml" ] || rm "$scratch/$name.xml"
}
for manifest in "$here"/*.yaml; do
    host=$(sed -n 's/^# host: //p' "$manifest")
    arguments=$(sed -n 's/^# args: //p' "$manifest")
    # shellcheck disable=SC2086  # arguments are words
    render "$(basename "$manifest" .yaml)" "$manifest" "$host" $arguments
done
for manifest in examples/*.yaml; do
    for host in two-node-smt one-node-2cpu; do
        render "example-$(basename "$manifest" .yaml)-$host" "$manifest" "$host"
    done
done

if [ -e "$schema" ] && command -v xmllint >/dev/null; then
    for xml in "$scratch"/*.xml; do
        xmllint --noout --relaxng "$schema" "$xml" >"$scratch/lint" 2>&1 || sed 's/^/# /' "$scratch/lint"
        grep -q ' validates$' "$scratch/lint"
        result $? "$(basename "$xml" .xml) is valid by libvirt's schema"
    done
    sed 's/<vcpupin /<vcpupinn /' "$scratch/mask.xml" >"$scratch/misspelled"
    ! xmllint --noout --relaxng "$schema" "$scratch/misspelled" 2>/dev/null
    result $? "the schema refuses a misspelled element"
else
    n=$((n + 1))
    echo "ok $n - domains are valid by libvirt's schema # SKIP $schema or xmllint is not there"
fi
echo "1..$n"
exit $failed
