#!/bin/sh
# Prints the kubectl programs of this machine, one a line: the one that is on the path, and Debian's own when that is
# another one (both must work with rtvmd). Debian's package is unpacked below the folder given, once, never installed:
# it would be laid over the other one.
set -u
folder=$1
here=$(command -v kubectl)
[ -z "$here" ] || echo "$here"
[ -z "$here" ] || ! dpkg-query -S "$(readlink -f "$here")" 2>/dev/null | grep -q '^kubernetes-client:' || exit 0

unpack() {
    mkdir -p "$folder" && cd "$folder" || return 1
    timeout 60 apt-get download -qq kubernetes-client >/dev/null 2>&1 || return 1
    dpkg-deb -x kubernetes-client_*.deb . && rm -f kubernetes-client_*.deb
}
[ -x "$folder/usr/bin/kubectl" ] || (unpack)
[ ! -x "$folder/usr/bin/kubectl" ] || echo "$folder/usr/bin/kubectl"
