#!/bin/sh
# The npm package @kubernetes/client-node against rtvmd on libvirt's test driver: see client_node.mjs. CLIENT_NODE is the
# package's folder; without it npm puts the package into build/client-node, once, from wherever npm is configured to have
# its packages from. Without node, npm or a registry the test is skipped: they are not worth installing for this alone.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/integration/alone_lib.sh
. tests/integration/alone_lib.sh
wanted=@kubernetes/client-node@1.4.0 # the last one for Node 20
place=$PWD/build/client-node
package=${CLIENT_NODE:-$place/node_modules/@kubernetes/client-node}
command -v node >/dev/null || skip_all "@kubernetes/client-node" "there is no node"
if [ ! -f "$package/dist/index.js" ] && [ -z "${CLIENT_NODE:-}" ] && command -v npm >/dev/null; then
    mkdir -p "$place"
    timeout 120 npm install --prefix "$place" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error \
        "$wanted" >"$place/log" 2>&1 </dev/null || sed 's/^/# npm: /' "$place/log"
fi
[ -f "$package/dist/index.js" ] || skip_all "@kubernetes/client-node" "npm cannot install it here: set CLIENT_NODE"

serve --listen 127.0.0.1:0 --plain-http
node tests/integration/client_node.mjs "$package" "$url"
