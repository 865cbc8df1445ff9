#!/bin/sh
# make install and uninstall below a folder, as a packager or a careful person does; needs no root.
# shellcheck disable=SC2317  # results are made by check
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/integration/lab_lib.sh
folder=$(mktemp -d /tmp/rtvmd-install-XXXXXX)
trap 'rm -rf "$folder"' EXIT
make_() {
    make --no-print-directory BUILD="$BUILD" INSTALLED="$RTVMD_BINARY" DESTDIR="$folder" PREFIX=/opt/rt "$@"
}
installs() {
    make_ install && (cd "$folder" && find . -type f | sort) >"$folder.list" && diff - "$folder.list" <<END
./etc/rtvmd/rtvmd.yaml
./opt/rt/bin/rtvmd
./opt/rt/lib/systemd/system/rtvmd.service
./opt/rt/lib/systemd/system/rtvmd.socket
./opt/rt/lib/sysusers.d/rtvmd.conf
./opt/rt/lib/tmpfiles.d/rtvmd.conf
./opt/rt/share/bash-completion/completions/rtvmd
./opt/rt/share/doc/rtvmd/unprivileged.conf
./opt/rt/share/man/man5/rtvmd-manifest.5
./opt/rt/share/man/man5/rtvmd.yaml.5
./opt/rt/share/man/man8/rtvmd.8
./opt/rt/share/zsh/site-functions/_rtvmd
END
}
unit_is_right() {
    grep -q '^ExecStart=/opt/rt/bin/rtvmd serve' "$folder/opt/rt/lib/systemd/system/rtvmd.service" || return 1
    command -v systemd-analyze >/dev/null || return 0
    sed "s|/opt/rt/bin/rtvmd|$(realpath "$RTVMD_BINARY")|" "$folder/opt/rt/lib/systemd/system/rtvmd.service" >"$folder.service"
    mv "$folder.service" "$folder/rtvmd.service"
    said=$(systemd-analyze verify --man=no "$folder/rtvmd.service" 2>&1)
    rm "$folder/rtvmd.service"
    echo "$said"
    [ -z "$said" ]
}
# As systemd-analyze counts, times ten; what remains is the job: QEMU's threads, its disks, the host's knobs.
is_little_exposed() {
    systemd-analyze security --offline=true --no-pager --threshold=37 "$folder/opt/rt/lib/systemd/system/rtvmd.service"
}
# expand NAME…: system calls, with the groups of systemd taken apart
expand() {
    for name in "$@"; do
        # shellcheck disable=SC2046  # words
        case $name in @*) expand $(systemd-analyze syscall-filter "$name" | sed -n 's/^    \([@a-z_0-9]*\)$/\1/p') ;; *) echo "$name" ;; esac
    done
}
# What the daemon refuses itself and its children when it is up (rtvmd/isolate.c) the unit refuses from the first
# instruction on; and what the daemon gives up rights with it allows.
filters_agree() {
    # shellcheck disable=SC2046  # words
    expand $(sed -n 's/^SystemCallFilter=\([^~]\)/\1/p' rtvmd/dist/rtvmd.service) | sort -u >"$folder.allowed"
    # shellcheck disable=SC2046  # words
    expand $(sed -n 's/^SystemCallFilter=~//p' rtvmd/dist/rtvmd.service) | sort -u >"$folder.denied"
    sed -n 's/^ *SCMP_SYS(\([a-z_0-9]*\)),.*/\1/p' rtvmd/isolate.c | sort -u >"$folder.ours"
    comm -23 "$folder.allowed" "$folder.denied" >"$folder.left"
    comm -12 "$folder.ours" "$folder.left" | sed 's/^/refused only by the daemon: /' >"$folder.out"
    printf '%s\n' capset prctl seccomp | comm -23 - "$folder.left" | sed 's/^/needed: /' >>"$folder.out"
    cat "$folder.out"
    [ "$(wc -l <"$folder.ours")" -ge 30 ] && [ "$(wc -l <"$folder.left")" -ge 200 ] && [ ! -s "$folder.out" ]
}
pages_are_right() {
    for page in man8/rtvmd.8 man5/rtvmd.yaml.5 man5/rtvmd-manifest.5; do
        said=$(LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -l "$folder/opt/rt/share/man/$page" 2>&1 >/dev/null)
        [ -z "$said" ] || { echo "$page: $said"; return 1; }
    done
}
completes() {
    bash -c '. "$1/opt/rt/share/bash-completion/completions/rtvmd" && PATH="$1/opt/rt/bin:$PATH" && COMP_WORDS=(rtvmd ba) COMP_CWORD=1 &&
        f=$(complete -p rtvmd | sed "s/.*-F \([^ ]*\).*/\1/") && $f rtvmd ba rtvmd && printf "%s\n" "${COMPREPLY[@]}" | grep -x backup' sh "$folder"
}
# The list of verbs is read alike by both shells; zsh, where there is one, reads the rest.
completes_in_zsh() {
    script=$folder/opt/rt/share/zsh/site-functions/_rtvmd
    sed -n '/^    verbs=($/,/^    )$/p' "$script" >"$folder.verbs"
    # shellcheck disable=SC2016  # expanded inside
    bash -c '. "$1" && [ ${#verbs[@]} -ge 30 ] && for verb in "${verbs[@]}"; do
        "$2" "${verb%%:*}" --help >/dev/null || { echo "no verb: $verb"; exit 1; }; done' sh "$folder.verbs" "$folder/opt/rt/bin/rtvmd" || return 1
    ! command -v zsh >/dev/null || zsh -n "$script"
}
completes_names() {
    # shellcheck disable=SC2016  # expanded inside
    bash -c '. "$1/opt/rt/share/bash-completion/completions/rtvmd" && rtvmd() { printf "%s\n" virtualmachine.kubevirt.io/one virtualmachine.kubevirt.io/two; } &&
        COMP_WORDS=(rtvmd console t) COMP_CWORD=2 && _rtvmd && [ "${COMPREPLY[*]}" = two ]' sh "$folder"
}
keeps_a_change() {
    echo "log: {level: debug}" >>"$folder/etc/rtvmd/rtvmd.yaml" && make_ install && grep -q 'level: debug}' "$folder/etc/rtvmd/rtvmd.yaml" &&
        make_ uninstall >"$folder.out" && grep -q '^kept: ' "$folder.out" && [ "$(cd "$folder" && find . -type f)" = ./etc/rtvmd/rtvmd.yaml ]
}
leaves_nothing() {
    rm "$folder/etc/rtvmd/rtvmd.yaml" && make_ install && make_ uninstall && [ -z "$(find "$folder" -type f)" ]
}
check "make install puts every file where it belongs" installs
check "the unit starts what was installed" unit_is_right
if command -v systemd-analyze >/dev/null; then
    check "systemd counts it as little exposed" is_little_exposed
    check "the unit's filter of system calls refuses what the daemon's does" filters_agree
else
    skip "the unit's sandbox" "there is no systemd-analyze"
fi
if command -v man >/dev/null; then check "the manual pages have no mistakes" pages_are_right; else skip "the manual pages have no mistakes" "there is no man"; fi
check "the shell completes verbs" completes
check "the shell completes names of VMs" completes_names
check "so does zsh" completes_in_zsh
check "a changed configuration survives both" keeps_a_change
check "make uninstall leaves nothing" leaves_nothing
rm -f "$folder".*
finish
