#!/bin/sh
# 200 watchers and 100 writers, and clients that misbehave: see api_load.py. Needs neither root nor KVM.
cd "$(dirname "$0")/../.." || exit 1
exec python3 tests/integration/api_load.py
