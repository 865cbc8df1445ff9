#!/bin/sh
# Builds the two static libraries Debian does not ship in a usable form, libvirt's client (remote and test drivers) and
# a small libxml2, from Debian's source packages. Nothing of theirs is changed.
#   build.sh OUT     puts lib/, include/ and the record of what was built into OUT
# The work is done at one fixed path, because libvirt writes its build folder into its objects: so two builds of the
# same sources are bit-identical. The result is kept by a key over everything that matters; an unchanged key builds
# nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
work=${RTVMD_STATIC_WORK:-/var/tmp/rtvmd-static}
cc=${STATIC_CC:-gcc}

mkdir -p "$out"
out=$(cd "$out" && pwd)
key=$({ cat "$here/sources.txt" "$here/sources.sh" "$here/build.sh"; "$cc" --version; dpkg-query -W meson libglib2.0-dev libtirpc-dev libgnutls28-dev; } |
    sha256sum | cut -d' ' -f1)
[ "$(cat "$out/key" 2>/dev/null)" = "$key" ] && exit 0

exec 9>"$work.lock"
flock 9
sources=$("$here/sources.sh" "$out/src")
rm -rf "$work"
mkdir -p "$work"
echo "$sources" | while read -r package _ dsc; do
    dpkg-source --no-check -x "$out/src/$dsc" "$work/$package" >/dev/null
done
jobs=$(nproc)
flags="-Os -fPIE -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -ffile-prefix-map=$work=."

echo "static: building libxml2" >&2
(
    cd "$work/libxml2"
    # Debian's patches are newer than the generated files; touching these in order keeps the autotools away.
    touch aclocal.m4
    sleep 1
    touch configure Makefile.in
    find . -name Makefile.in -exec touch {} +
    touch config.h.in
    CC=$cc CFLAGS=$flags ./configure --quiet --prefix="$work/prefix" --disable-shared --enable-static --disable-dependency-tracking \
        --without-python --without-icu --without-lzma --without-zlib --without-iconv --without-ftp --without-http \
        --without-html --without-legacy --without-docbook --without-catalog --without-debug --without-c14n \
        --without-schematron --without-modules --without-xinclude --without-readline --without-history >/dev/null 2>&1
    make -s -j"$jobs" AUTOMAKE=: ACLOCAL=: AUTOCONF=: AUTOHEADER=: libxml2.la >/dev/null 2>&1
    mkdir -p "$work/prefix/lib/pkgconfig" "$work/prefix/include"
    cp .libs/libxml2.a "$work/prefix/lib/"
    cp -r include/libxml "$work/prefix/include/"
)
cat >"$work/prefix/lib/pkgconfig/libxml-2.0.pc" <<EOF
Name: libxml2
Description: small static libxml2
Version: 2.9.14
Libs: -L$work/prefix/lib -lxml2 -lm
Cflags: -I$work/prefix/include
EOF

echo "static: building libvirt's client" >&2
(
    cd "$work/libvirt"
    PKG_CONFIG_PATH="$work/prefix/lib/pkgconfig" CC=$cc CFLAGS=$flags meson setup "$work/build" . --buildtype=plain \
        --prefix=/usr --libdir=lib/x86_64-linux-gnu --sysconfdir=/etc --localstatedir=/var -Dauto_features=disabled \
        -Drunstatedir=/run -Dinit_script=none -Dremote_default_mode=legacy -Ddriver_remote=enabled \
        -Ddriver_test=enabled -Dno_git=true >"$work/meson.log" 2>&1 || { tail -n 20 "$work/meson.log" >&2; exit 1; }
    cd "$work/build"
    archives=$(ninja -t query "$(ninja -t targets all | sed -n 's/^\(src\/libvirt\.so\.[0-9.]*\):.*/\1/p' | head -n 1)" |
        grep -o 'src/.*\.a$' | sort -u)
    qemu_object=$(ninja -t targets all | sed -n 's/^\(src\/libvirt-qemu\.so\.[^:]*\.o\):.*/\1/p' | head -n 1)
    # shellcheck disable=SC2086
    ninja -j"$jobs" $archives "$qemu_object" >"$work/ninja.log" 2>&1 || { tail -n 20 "$work/ninja.log" >&2; exit 1; }
    rm -f "$work/prefix/lib/libvirt.a"
    # The convenience libraries are thin archives: their members are files.
    # shellcheck disable=SC2086
    for archive in $archives; do ar t "$archive"; done | sort -u >"$work/objects"
    xargs ar qcD "$work/prefix/lib/libvirt.a" "$qemu_object" <"$work/objects"
    ranlib -D "$work/prefix/lib/libvirt.a"
    mkdir -p "$work/prefix/include/libvirt"
    cp "$work"/libvirt/include/libvirt/*.h "$work/build"/include/libvirt/*.h "$work/prefix/include/libvirt/"
)
rm -rf "${out:?}/lib" "$out/include"
mkdir -p "$out/lib"
cp "$work"/prefix/lib/*.a "$out/lib/"
cp -r "$work/prefix/include" "$out/include"
echo "$sources" | awk '{print $1, $2}' >"$out/built"
echo "$key" >"$out/key"
rm -rf "$work"
