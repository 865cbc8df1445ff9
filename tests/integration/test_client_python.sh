#!/bin/sh
# The Python client of Kubernetes (Debian's python3-kubernetes) against rtvmd on libvirt's test driver: typed objects,
# CustomObjectsApi and the dynamic client; see client_python.py. Skipped where the package is not there.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/integration/lab_lib.sh
. tests/integration/lab_lib.sh
python=/usr/bin/python3 # Debian's own: the package is for it
"$python" -c 'import kubernetes' 2>/dev/null || skip_all "python3-kubernetes" "it is not installed: make deps"

folder=$(mktemp -d /tmp/rtvmd-python-XXXXXX)
"$RTVMD_BINARY" serve --state-dir "$folder/state" --libvirt test:///default --listen 127.0.0.1:0 --plain-http \
    2>"$folder/log" &
daemon=$!
trap 'kill "$daemon"; rm -rf "$folder"' EXIT
tries=0
until grep -qs ' ready ' "$folder/log" || [ "$tries" -eq 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
HOME=$folder "$python" tests/integration/client_python.py "$(sed -n 's/.*listening url=//p' "$folder/log")"
