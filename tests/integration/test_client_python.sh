#!/bin/sh
# The Python client of Kubernetes (Debian's python3-kubernetes) against rtvmd on libvirt's test driver: typed objects,
# CustomObjectsApi and the dynamic client; see client_python.py. Skipped where the package is not there.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/integration/alone_lib.sh
. tests/integration/alone_lib.sh
python=/usr/bin/python3 # Debian's own: the package is for it
"$python" -c 'import kubernetes' 2>/dev/null || skip_all "python3-kubernetes" "it is not installed: make deps"

serve --listen 127.0.0.1:0 --plain-http
HOME=$scratch "$python" tests/integration/client_python.py "$url"
