#!/bin/sh
# Is the file really a static, hardened program that needs nothing? Fails with the first thing that is not so.
set -eu
file=$1
refuse() {
    echo "check: $file: $1" >&2
    exit 1
}
header=$(readelf -lhdW "$file")
echo "$header" | grep -q 'Type:.*DYN' || refuse "not position independent"
echo "$header" | grep -q INTERP && refuse "asks for a dynamic loader (INTERP)"
echo "$header" | grep -q '(NEEDED)' && refuse "needs shared libraries"
echo "$header" | grep -q GNU_RELRO || refuse "no RELRO"
echo "$header" | grep -q 'BIND_NOW\|FLAGS_1.*NOW' || refuse "no BIND_NOW"
echo "$header" | grep 'GNU_STACK' | grep -q 'RWE' && refuse "executable stack"
"$file" version >/dev/null || refuse "does not run"
echo "static: $file is static-pie, RELRO, BIND_NOW, no INTERP, no NEEDED, $(stat -c %s "$file") bytes"
