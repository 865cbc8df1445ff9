#!/bin/sh
# Builds the static program twice, from two clean checkouts of the same commit in folders of different names, and
# compares the files byte by byte.
#   reproduce.sh          the second build takes libvirt and libxml2 from the first (minutes)
#   reproduce.sh full     it compiles these, too: nothing is shared but the machine
# What is committed is built, not what lies around. libvirt is built at one fixed path in any case (build.sh says why).
set -eu
mode=${1:-}
here=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
commit=$(git -C "$here" rev-parse HEAD)
sources=""
[ ! -d "$here/build/static-libs/src" ] || sources=$here/build/static-libs/src

# build NAME: a checkout in scratch/NAME, built there
build() {
    checkout=$scratch/$1
    git clone -q --no-hardlinks "$here" "$checkout"
    git -C "$checkout" -c advice.detachedHead=false checkout -q "$commit"
    mkdir -p "$checkout/build/static-libs"
    # Downloads are verified by their sums, wherever they come from.
    [ -z "$sources" ] || cp -r "$sources" "$checkout/build/static-libs/src"
    if [ "$2" ]; then cp -r "$2/." "$checkout/build/static-libs/"; fi
    start=$(date +%s)
    make -C "$checkout" --no-print-directory -j"$(nproc)" static >"$scratch/$1.log" 2>&1 || { tail -n 20 "$scratch/$1.log"; exit 1; }
    echo "$1: $(sha256sum <"$checkout/build/static/rtvmd" | cut -d' ' -f1), $(stat -c %s "$checkout/build/static/rtvmd") bytes, $(($(date +%s) - start)) s"
}

# same FILE: equal in both checkouts
same() {
    cmp "$scratch/first/$1" "$scratch/other-name/$1" && echo "same: $1"
}

libraries=""
[ "$mode" = full ] || [ ! -e "$here/build/static-libs/key" ] || libraries=$here/build/static-libs
echo "commit $commit${libraries:+; libvirt and libxml2 are taken from $libraries}"
build first "$libraries"
[ "$mode" = full ] || libraries=$scratch/first/build/static-libs
build other-name "$libraries"
same build/static-libs/lib/libvirt.a
same build/static-libs/lib/libxml2.a
same build/static/rtvmd
