#!/bin/sh
# The libraries in the binary, with their exact versions and licenses: the one list behind `rtvmd version -o json` and
# the bill of materials.
#   linked.sh c    [STATIC_LIBS]   a C file with a table (LINKED, rtvmd/linked.h)
#   linked.sh spdx [STATIC_LIBS]   an SPDX 2.3 document (JSON)
# With STATIC_LIBS, libvirt and libxml2 are those compiled from source (the file `built` there).
set -eu
format=$1
built=${2:-}/built

# name, Debian package that has the archive or the headers, license
libraries="libvirt libvirt-dev LGPL-2.1-or-later
libxml2 libxml2-dev MIT
libyaml libyaml-dev MIT
sqlite3 libsqlite3-dev blessing
mbedtls libmbedtls-dev Apache-2.0 OR GPL-2.0-or-later
libnuma libnuma-dev LGPL-2.1-only
libevent libevent-dev BSD-3-Clause
jansson libjansson-dev MIT
libisofs libisofs-dev GPL-2.0-or-later
libarchive libarchive-dev BSD-2-Clause
libseccomp libseccomp-dev LGPL-2.1-only"
in_static="glib libglib2.0-dev LGPL-2.1-or-later
pcre2 libpcre2-dev BSD-3-Clause
libffi libffi-dev MIT
libtirpc libtirpc-dev BSD-3-Clause
libjte libjte-dev LGPL-2.1-only
acl libacl1-dev LGPL-2.1-or-later
nettle nettle-dev LGPL-3.0-or-later
xz liblzma-dev 0BSD
zstd libzstd-dev BSD-3-Clause
lz4 liblz4-dev BSD-2-Clause
bzip2 libbz2-dev bzip2-1.0.6
zlib zlib1g-dev Zlib
glibc libc6-dev LGPL-2.1-or-later"
[ -e "$built" ] && libraries="$libraries
$in_static"

list() {
    echo "$libraries" | while read -r name package license; do
        version=""
        [ -e "$built" ] && version=$(awk -v n="$name" '$1 == n { print $2 }' "$built")
        [ -n "$version" ] || version=$(dpkg-query -W -f='${Version}' "$package" 2>/dev/null || echo unknown)
        echo "$name $version $license"
    done
}

case $format in
c)
    echo '#include "rtvmd/linked.h"'
    echo 'const struct linked_library LINKED[] = {'
    list | while read -r name version license; do printf '    {"%s", "%s", "%s"},\n' "$name" "$version" "$license"; done
    echo '    {0, 0, 0},'
    echo '};'
    ;;
spdx)
    rtvmd_version=$(sed -n 's/.*RTVMD_VERSION "\(.*\)"/\1/p' "$(dirname "$0")/../version.h")
    created=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}" +%Y-%m-%dT%H:%M:%SZ)
    printf '{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"rtvmd-%s",' "$rtvmd_version"
    printf '"documentNamespace":"https://rtvmd.io/spdx/rtvmd-%s","creationInfo":{"created":"%s","creators":["Tool: rtvmd-linked"]},"packages":[' "$rtvmd_version" "$created"
    printf '{"SPDXID":"SPDXRef-rtvmd","name":"rtvmd","versionInfo":"%s","downloadLocation":"NOASSERTION","licenseConcluded":"GPL-2.0-or-later","licenseDeclared":"GPL-2.0-or-later"}' "$rtvmd_version"
    list | while read -r name version license; do
        printf ',{"SPDXID":"SPDXRef-%s","name":"%s","versionInfo":"%s","downloadLocation":"NOASSERTION","licenseConcluded":"%s","licenseDeclared":"%s"}' "$name" "$name" "$version" "$license" "$license"
    done
    printf '],"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-rtvmd"}'
    list | while read -r name _; do
        printf ',{"spdxElementId":"SPDXRef-rtvmd","relationshipType":"STATIC_LINK","relatedSpdxElement":"SPDXRef-%s"}' "$name"
    done
    printf ']}\n'
    ;;
esac
