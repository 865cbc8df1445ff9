#!/bin/sh
# rtvmd doctor on recorded machines: our own with expected text, those of ../shared without a crash and in the right
# shape; and what it opens on the live machine, against the list it prints itself.
set -u
rtvmd=${BUILD:-build}/rtvmd
here=tests/golden/hosts
shared=../shared
# Thousands of small files: in memory where there is such a place.
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
n=0
failed=0
result() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2" && failed=1; fi
}
skip() {
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

# The shape of DESIGN section 6, at least 60 checks, and a verdict that its parts bear out.
shape='(.fit | IN("yes", "no", "unknown")) and (.because | length > 0) and (.checks | length >= 60)
  and ([.checks[].id] | length == (unique | length))
  and all(.checks[]; (.id and .found and .wanted and .why and .source) and (.fix | type == "string")
    and (.severity | IN("ok", "info", "warning", "critical", "unknown", "not-applicable")))
  and ((.fit == "no") == any(.checks[]; .severity == "critical"))'
status_of_fit() {
    case $(jq -r .fit "$1") in yes) echo 0 ;; unknown) echo 1 ;; *) echo 2 ;; esac
}

for folder in "$here"/*/; do
    name=$(basename "$folder")
    "$rtvmd" doctor -o wide --host "$folder" >"$scratch/out" 2>&1
    echo "exit status $?" >>"$scratch/out"
    if [ "${GOLDEN:-}" = rewrite ]; then cp "$scratch/out" "$here/$name.doctor.txt"; fi
    diff -u "$here/$name.doctor.txt" "$scratch/out" | sed 's/^/# /'
    cmp -s "$here/$name.doctor.txt" "$scratch/out"
    result $? "$name: as expected"
done

examine() { # NAME FOLDER
    "$rtvmd" doctor -o json --host "$2" >"$scratch/report.json" 2>"$scratch/err"
    status=$?
    jq -e "$shape" "$scratch/report.json" >/dev/null && [ "$status" -eq "$(status_of_fit "$scratch/report.json")" ] &&
        [ ! -s "$scratch/err" ] && ! jq -e '.fit == "yes"' "$scratch/report.json" >/dev/null
    result $? "$1: examined, and never called fit untried"
}
for folder in "$here"/*/; do
    examine "$(basename "$folder")" "$folder"
done
for archive in "$shared"/hosts/*.tar.bz2 "$shared"/kubevirt-verdicts/*.tar.xz; do
    if [ -e "$archive" ]; then
        tree=$scratch/tree
        mkdir "$tree" && tar -xf "$archive" -C "$tree"
        examine "$(basename "$archive")" "$tree"
        rm -rf "$tree"
    else
        skip "recorded machines" "$archive is not there"
    fi
done

"$rtvmd" doctor --host "$here/virtual-machine" | head -n 1 | grep -q '^fit for real time: unknown, because .*virtual'
result $? "a virtual machine is never fit"
"$rtvmd" doctor --help | grep -q 'Exit status: 0 fit, 1 unknown, 2 not fit'
result $? "the exit status is documented"
"$rtvmd" host -o json --host "$here/laptop" >"$scratch/snapshot.json"
"$rtvmd" doctor --host "$scratch/snapshot.json" 2>&1 | grep -q 'want a recorded tree'
result $? "a snapshot is refused with the remedy"

"$rtvmd" doctor --files >"$scratch/list"
! grep -q 'cur_freq' "$scratch/list" && [ "$(wc -l <"$scratch/list")" -gt 100 ]
result $? "no current frequency is on the list"
if command -v strace >/dev/null && strace -o "$scratch/trace" true 2>/dev/null; then
    # Every path as a regular expression; folders are opened without their last slash. The C library, libnuma and
    # the allocator read a few files for themselves; so do shared libraries when they are loaded, as any verb shows.
    sed -e 's/[.]/\\./g' -e 's/\*\*/.+/g' -e 's/\([^+.]\|^\)\*/\1[^\/]*/g' -e 's/#/[0-9]+/g' -e 's/\/$/\/?/' -e 's/.*/^&$/' \
        "$scratch/list" >"$scratch/patterns"
    cat >>"$scratch/patterns" <<'END'
^/sys/devices/system/node(/.*)?$
^/sys/devices/system/cpu/(possible|online)$
^/proc/(self|thread-self)/(status|maps|task)$
^/proc/sys/vm/(overcommit_memory|max_map_count)$
^/dev/(kvm|null|urandom)$
^/etc/(ld\.so\..*|nsswitch\.conf|passwd|localtime)$
END
    opened() {
        sed -n 's/.*open[^(]*([^"]*"\(\/[^"]*\)".*/\1/p' "$1" | grep -E '^/(proc|sys|dev|boot|etc|lib/modules)(/|$)' | sort -u
    }
    strace -f -e trace=open,openat,openat2 -o "$scratch/loading" "$rtvmd" version >/dev/null 2>&1
    opened "$scratch/loading" >"$scratch/loaded"
    strace -f -e trace=open,openat,openat2 -o "$scratch/trace" "$rtvmd" doctor >/dev/null 2>&1
    opened "$scratch/trace" | grep -vxF -f "$scratch/loaded" | grep -vE -f "$scratch/patterns" >"$scratch/strangers"
    sed 's/^/# /' "$scratch/strangers"
    [ ! -s "$scratch/strangers" ] && grep -q '/proc/1/task/1/stat' "$scratch/trace"
    result $? "only listed files are opened on the live machine"
else
    skip "only listed files are opened on the live machine" "strace cannot trace here"
fi
echo "1..$n"
exit $failed
