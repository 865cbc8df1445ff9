#!/bin/sh
# Fetches the pinned Debian source packages through the machine's own apt configuration, without touching it: the
# deb lines are copied as deb-src lines into a private apt directory below the build folder.
#   sources.sh DIR          download and verify into DIR; prints "PACKAGE VERSION DSC" for each
#   sources.sh --pin DIR    the same for the newest versions, and print new pins
# When the registry no longer has the pinned version, the newest one is taken, said so, and recorded in DIR/unpinned.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
pin=""
[ "${1:-}" = --pin ] && { pin=1; shift; }
dir=$1
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
apt_dir=$dir/apt
mkdir -p "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial" "$apt_dir/sources.list.d"

for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$list" ] && sed -n 's/^deb \(.*\)/deb-src \1/p' "$list"
done >"$apt_dir/sources.list"
for list in /etc/apt/sources.list.d/*.sources; do
    [ -e "$list" ] && sed 's/^Types:.*/Types: deb-src/' "$list" >"$apt_dir/sources.list.d/$(basename "$list")"
done

apt_private() {
    command=$1
    shift
    "$command" -o Dir::Etc::SourceList="$apt_dir/sources.list" -o Dir::Etc::SourceParts="$apt_dir/sources.list.d" \
        -o Dir::State::Lists="$apt_dir/lists" -o Dir::Cache="$apt_dir/cache" -o APT::Sandbox::User=root "$@"
}

have_all() {
    while read -r name sum; do
        [ -e "$dir/$name" ] && [ "$(sha256sum <"$dir/$name" | cut -d' ' -f1)" = "$sum" ] || return 1
    done
}

files_of() {
    sed -n "/^package $1 /,/^package /{/^package /d;/^#/d;/^\$/d;p}" "$here/sources.txt"
}

updated=""
: >"$dir/unpinned.new"
for package in libvirt libxml2; do
    version=$(sed -n "s/^package $package //p" "$here/sources.txt")
    if [ -z "$pin" ] && [ -n "$version" ] && files_of "$package" | have_all; then
        echo "$package $version $(files_of "$package" | awk '/\.dsc /{print $1}')"
        continue
    fi
    [ -n "$updated" ] || { apt_private apt-get update -qq >&2; updated=1; }
    newest=$(apt_private apt-cache showsrc "$package" | sed -n 's/^Version: //p' | sort -V | tail -n 1)
    [ -n "$newest" ] || { echo "sources.sh: no source package $package in the configured registry" >&2; exit 1; }
    wanted=$version
    if [ -n "$pin" ] || [ -z "$wanted" ]; then
        wanted=$newest
    elif ! apt_private apt-cache showsrc "$package" | grep -qx "Version: $wanted"; then
        echo "sources.sh: warning: $package $wanted is pinned but the registry has $newest; building that instead" >&2
        echo "$package pinned $wanted built $newest" >>"$dir/unpinned.new"
        wanted=$newest
    fi
    (cd "$dir" && apt_private apt-get source -qq --download-only "$package=$wanted" >&2)
    dsc=${package}_$(echo "$wanted" | sed 's/^[0-9]*://').dsc
    if [ "$wanted" = "$version" ] && ! files_of "$package" | have_all; then
        echo "sources.sh: $package $wanted does not have the pinned sha256 sums; refusing to build it" >&2
        exit 1
    fi
    if [ -n "$pin" ]; then
        echo "package $package $wanted"
        { echo "$dsc"; sed -n '/^Checksums-Sha256/,/^[^ ]/{/^ /p}' "$dir/$dsc" | awk '{print $3}'; } | while read -r f; do
            case $f in *.asc) continue ;; esac
            echo "$f $(sha256sum <"$dir/$f" | cut -d' ' -f1)"
        done
    else
        echo "$package $wanted $dsc"
    fi
done
mv "$dir/unpinned.new" "$dir/unpinned"
