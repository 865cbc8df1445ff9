#!/bin/sh
# The npm package @kubernetes/client-node against rtvmd on libvirt's test driver: see client_node.mjs. CLIENT_NODE is the
# package's folder; without it, and without one in build/node_modules (npm install --prefix build
# @kubernetes/client-node; @1.4.0 with Node 20, the newest needs Node 22), the test is skipped.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/integration/lab_lib.sh
. tests/integration/lab_lib.sh
package=${CLIENT_NODE:-$PWD/build/node_modules/@kubernetes/client-node}
command -v node >/dev/null || skip_all "@kubernetes/client-node" "there is no node"
[ -f "$package/dist/index.js" ] || skip_all "@kubernetes/client-node" "the package is not there: set CLIENT_NODE"

folder=$(mktemp -d /tmp/rtvmd-node-XXXXXX)
"$RTVMD_BINARY" serve --state-dir "$folder/state" --libvirt test:///default --listen 127.0.0.1:0 --plain-http \
    2>"$folder/log" &
daemon=$!
trap 'kill "$daemon"; rm -rf "$folder"' EXIT
tries=0
until grep -qs ' ready ' "$folder/log" || [ "$tries" -eq 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
node tests/integration/client_node.mjs "$package" "$(sed -n 's/.*listening url=//p' "$folder/log")"
