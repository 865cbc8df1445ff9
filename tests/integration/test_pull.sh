#!/bin/sh
# Pulling with the real skopeo from a registry of our own on the loopback interface: the few requests a pull makes.
set -u
rtvmd=$(realpath "${RTVMD_BINARY:-${BUILD:-build}/rtvmd}")
work=$(mktemp -d)
registry=
trap '[ -z "$registry" ] || kill "$registry" 2>/dev/null; rm -rf "$work"' EXIT
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
for tool in skopeo python3; do
    if ! command -v $tool >/dev/null; then
        echo "ok 1 - pull from a registry # SKIP $tool is not installed"
        echo "1..1"
        exit 0
    fi
done

# Serves $work/blobs/sha256:… and, under any tag, the manifest $work/manifest. Writes its port and each request.
cat >"$work/registry.py" <<'PY'
import hashlib, http.server, os, sys
work = sys.argv[1]
class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        with open(work + "/requests", "a") as log:
            log.write(self.path + "\n")
        kind = "application/octet-stream"
        if self.path == "/v2/":
            body = b"{}"
        elif "/manifests/" in self.path:
            body = open(work + "/manifest", "rb").read()
            kind = "application/vnd.oci.image.manifest.v1+json"
            wanted = self.path.rsplit("/", 1)[1]
            if wanted.startswith("sha256:") and wanted != "sha256:" + hashlib.sha256(body).hexdigest() or wanted == "none":
                body = None
        elif "/blobs/" in self.path:
            path = work + "/blobs/" + os.path.basename(self.path)
            body = open(path, "rb").read() if os.path.exists(path) else None
        else:
            body = None
        if body is None:
            body, status = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}', 404
        else:
            status = 200
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
    do_HEAD = do_GET
    def log_message(self, *words):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
with open(work + "/port.new", "w") as out:
    out.write(str(server.server_address[1]))
os.rename(work + "/port.new", work + "/port")
server.serve_forever()
PY

blob() {
    digest=sha256:$(sha256sum "$1" | cut -d' ' -f1)
    cp "$1" "$work/blobs/$digest"
    echo "$digest"
}
# publish TEXT: the registry's image now has TEXT as its disk
publish() {
    mkdir -p "$work/blobs" "$work/root/disk"
    printf '%s' "$1" >"$work/root/disk/disk.img"
    tar -C "$work/root" -czf "$work/layer" disk
    printf '{"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"architecture":"amd64","os":"linux","config":{}}' \
        "$(gunzip -c "$work/layer" | sha256sum | cut -d' ' -f1)" >"$work/config"
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"%s","size":%d}]}' \
        "$(blob "$work/config")" "$(wc -c <"$work/config")" "$(blob "$work/layer")" "$(wc -c <"$work/layer")" >"$work/manifest.new"
    mv "$work/manifest.new" "$work/manifest"
}

publish "first"
python3 "$work/registry.py" "$work" &
registry=$!
tries=0
while [ ! -s "$work/port" ] && [ $tries -lt 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
host=127.0.0.1:$(cat "$work/port")
mkdir -p "$work/.config/containers"
printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$host" >"$work/.config/containers/registries.conf"

pull() {
    HOME=$work "$rtvmd" image pull "$host/$1" --state-dir "$work/state" >"$work/out" 2>"$work/err"
    echo $?
}
disks() {
    cat "$work"/state/images/sha256-*.raw 2>/dev/null
}
check "a first pull" "0 first" "$(pull lab/disk:1) $(disks)"
grep -c blobs "$work/requests" >"$work/before"
check "nothing new: nothing is fetched" "0 $(cat "$work/before")" "$(pull lab/disk:1) $(grep -c blobs "$work/requests")"
publish "second"
check "a new image replaces the old one" "0 second" "$(pull lab/disk:1) $(disks)"
check "it says so" "pulling $host/lab/disk:1" "$(head -n 1 "$work/err")"
check "a tag the registry does not have" "3 1" "$(pull lab/disk:none) $(grep -c 'the registry has no such image' "$work/err")"
rm -f "$work"/blobs/*
publish "third"
printf 'x' >>"$work/blobs/$(sha256sum "$work/layer" | sed 's/^/sha256:/; s/ .*//')"
check "a damaged layer is not taken" "7 second" "$(pull lab/disk:1) $(disks)"
check "nothing half-done is left" "0" "$(find "$work/state/images" -name 'staging-*' | wc -l)"
kill "$registry"
wait "$registry" 2>/dev/null
registry=
check "a registry that is away" "7 1" "$(pull lab/disk:1) $(grep -c 'cannot be reached' "$work/err")"
check "what was imported is not pulled over" "4" "$(printf 'own' >"$work/own" && "$rtvmd" image import "$host/lab/disk:1" "$work/own" --state-dir "$work/state" >/dev/null && pull lab/disk:1)"
echo "1..$number"
