#!/bin/sh
# unit.sh FILE [DROP-IN…]: a shell script that starts what a systemd unit starts, with those of its settings a shell can
# give: user and groups, folders, limits, CPUs, mask, capabilities, no new privileges, read-only file systems, a private
# /tmp. What it cannot give (MemoryDenyWriteExecute and other filters) it says in a comment.
set -eu
# get KEY: its last value
get() {
    cat "$unit" ${drop_ins:+"$drop_ins"} | sed -n "s/^$1=//p" | tail -n 1
}
# capabilities KEY: as setpriv(1) wants them
capabilities() {
    get "$1" | tr 'A-Z ' 'a-z\n' | sed 's/^cap_/+/' | paste -sd,
}
unit=$1
drop_ins=${2:-}
user=$(get User)
ambient=$(capabilities AmbientCapabilities)
cat <<END
set -eu
cd /
mkdir -p /var/lib/$(get StateDirectory) /run/$(get RuntimeDirectory)
chmod $(get StateDirectoryMode) /var/lib/$(get StateDirectory)
chmod $(get RuntimeDirectoryMode) /run/$(get RuntimeDirectory)
${user:+chown -R $user: /var/lib/$(get StateDirectory) /run/$(get RuntimeDirectory)}
ulimit -n $(get LimitNOFILE) 2>/dev/null || echo "no right to raise the limit of open files" >&2
ulimit -l $(get LimitMEMLOCK | sed 's/infinity/unlimited/') 2>/dev/null || echo "no right to raise the limit of locked memory" >&2
umask $(get UMask)
export STATE_DIRECTORY=/var/lib/$(get StateDirectory) RUNTIME_DIRECTORY=/run/$(get RuntimeDirectory)
exec unshare -m --propagation private sh -eu -c '
    mount -t tmpfs -o mode=1777 tmpfs /tmp
    mount -t tmpfs -o mode=755 tmpfs /root
    for writable in $(get ReadWritePaths | tr ' ' '\n' | sed 's/^-//' | paste -sd' '); do
        [ ! -e "\$writable" ] || mount --rbind "\$writable" "\$writable"
    done
    echo \$\$ >/run/rtvmd.pid
    mount -o remount,bind,ro /
    exec taskset -c $(get CPUAffinity) setpriv ${user:+--reuid $user --regid $(get Group) --groups $(get SupplementaryGroups | tr ' ' ',')} \
        --bounding-set -all,$(capabilities CapabilityBoundingSet) ${ambient:+--inh-caps -all,$ambient --ambient-caps -all,$ambient} \
        --no-new-privs -- $(get ExecStart)
'
END
cat "$unit" ${drop_ins:+"$drop_ins"} | grep -E '^(Restrict|MemoryDeny|Lock|SystemCall|ProtectK|ProtectC|ProtectH|Device)' | sed 's/^/# not given here: /'
