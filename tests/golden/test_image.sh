#!/bin/sh
# rtvmd image on a private state folder, and what its unpacking child has given up. Needs no root and no network.
set -u
rtvmd=$(cd "${BUILD:-build}" && pwd)/rtvmd
work=$(mktemp -d)
child=
trap '[ -z "$child" ] || kill "$child" 2>/dev/null; rm -rf "$work"' EXIT
number=0
check() { # NAME WANTED FOUND
    number=$((number + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        printf '%s\n' "wanted:" "$2" "found:" "$3" | sed 's/^/# /'
    fi
}
image() {
    "$rtvmd" image "$@" --state-dir "$work/state" 2>&1
}

# blob FILE: into the layout, by digest; prints the digest
blob() {
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    cp "$1" "$work/layout/blobs/sha256/$digest"
    echo "sha256:$digest"
}

# layout TEXT: an OCI layout whose only layer has TEXT as its disk
layout() {
    rm -rf "$work/layout" "$work/root"
    mkdir -p "$work/layout/blobs/sha256" "$work/root/disk"
    printf '%s' "$1" >"$work/root/disk/disk.img"
    tar -C "$work/root" -czf "$work/layer" disk
    printf '{"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"architecture":"amd64","os":"linux","config":{}}' \
        "$(gunzip -c "$work/layer" | sha256sum | cut -d' ' -f1)" >"$work/config"
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"%s","size":%d}]}' \
        "$(blob "$work/config")" "$(wc -c <"$work/config")" "$(blob "$work/layer")" "$(wc -c <"$work/layer")" >"$work/manifest"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%d}]}' \
        "$(blob "$work/manifest")" "$(wc -c <"$work/manifest")" >"$work/layout/index.json"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$work/layout/oci-layout"
}

# sha256 of "the bytes of a disk"
digest=sha256:$(printf 'the bytes of a disk' | sha256sum | cut -d' ' -f1)
printf 'the bytes of a disk' >"$work/disk.raw"

check "list of nothing" "[]" "$("$rtvmd" image list -o json --state-dir "$work/none")"
check "import a raw file" "lab/disk:1 raw $digest" "$(image import lab/disk:1 "$work/disk.raw")"
layout 'the bytes of a disk'
check "import a layout: the same disk is stored once" "checking the layers of from-layout
from-layout raw $digest" "$(image import from-layout "oci:$work/layout")"
check "one file for both" "1" "$(find "$work/state/images" -name 'sha256-*' | wc -l)"
check "list names" "from-layout
lab/disk:1" "$(image list -o name)"
check "json has what a script needs" '["from-layout","","raw",19,19,"imported",false]' \
    "$(image list -o json | tr -d ' \n' | sed 's/.*{"name":"from-layout","path":"\([^"]*\)","digest":"[^"]*","format":"\([a-z0-9]*\)","bytes":\([0-9]*\),"virtualBytes":\([0-9]*\),"source":"\([a-z]*\)","created":"[^"]*","inUse":\([a-z]*\)}.*/["from-layout","\1","\2",\3,\4,"\5",\6]/')"
check "remove keeps what another name means" "1" "$(image remove lab/disk:1; find "$work/state/images" -name 'sha256-*' | wc -l)"
check "remove the last" "0" "$(image remove from-layout; find "$work/state/images" -name 'sha256-*' | wc -l)"
check "remove what is not there" "rtvmd image: image x is not in the local store; rtvmd image list shows what is
3" "$(image remove x; echo $?)"
check "a compressed file is refused with the remedy" "rtvmd image: $work/layer: the disk is gzip-compressed; want raw or qcow2: unpack it: gunzip
2" "$(image import x "$work/layer"; echo $?)"
check "a missing file" "3" "$(image import x "$work/none" >/dev/null; echo $?)"
check "a bad name" "2" "$(image import ../x "$work/disk.raw" >/dev/null; echo $?)"
check "the built-in name" "2" "$(image import rtvmd.io/latency-probe "$work/disk.raw" >/dev/null; echo $?)"
check "no action" "2" "$(image >/dev/null; echo $?)"

if command -v skopeo >/dev/null; then
    skopeo copy --quiet --insecure-policy "oci:$work/layout" "docker-archive:$work/docker.tar:lab/x:1" 2>"$work/skopeo.log"
    check "import what docker save writes" "docker raw $digest" "$(image import docker "docker-archive:$work/docker.tar" | tail -n 1)"
else
    number=$((number + 1))
    echo "ok $number - import what docker save writes # SKIP skopeo is not installed"
fi

# The child waits for its archive: time to look at what it still has.
mkfifo "$work/fifo"
"$rtvmd" image-unpack disk "" 1 <"/dev/null" 3<>"$work/fifo" >/dev/null 2>"$work/child.log" &
child=$!
tries=0
until grep -q '^Seccomp:.*2' "/proc/$child/status" 2>/dev/null || [ $tries -ge 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
user=$(id -u)
[ "$user" -ne 0 ] || user=65534
field() { sed -n "s/^$1:[[:blank:]]*//p" "/proc/$child/status"; }
check "the child: user" "$user	$user	$user	$user" "$(field Uid)"
check "the child: no new privileges" "1" "$(field NoNewPrivs)"
check "the child: no capabilities" "0000000000000000" "$(field CapEff)"
check "the child: filtered system calls" "2" "$(field Seccomp)"
limit() { sed -n "s/^Max $1  *\([0-9]*\)  *\([0-9]*\).*/\1 \2/p" "/proc/$child/limits"; }
check "the child: no further file" "4 4" "$(limit 'open files')"
check "the child: no process" "0 0" "$(limit processes)"
check "the child: no file size" "0 0" "$(limit 'file size')"
kill "$child"
wait "$child" 2>/dev/null
child=
echo "1..$number"
