#!/bin/sh
# Who may do what over TCP: a kubeconfig with a client certificate, bearer tokens, roles, strangers. Real kubectl and
# curl against a daemon on libvirt's test driver; no root needed.
set -u
rtvmd=${RTVMD_BINARY:-${BUILD:-build}/rtvmd}
scratch=$(mktemp -d) || exit 1
n=0
failed=0
daemon=""
# shellcheck disable=SC2317  # called by the trap
clean_up() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null
    rm -rf "$scratch"
}
trap clean_up EXIT
result() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2" && failed=1; fi
}

export RTVMD_SOCKET="$scratch/sock"
"$rtvmd" serve --state-dir "$scratch/state" --run-dir "$scratch/run" --socket "$RTVMD_SOCKET" --libvirt test:///default \
    --listen 127.0.0.1:0 2>"$scratch/log" &
daemon=$!
for _ in $(seq 100); do
    grep -q 'listening url=' "$scratch/log" && break
    sleep 0.1
done
url=$(sed -n 's/.*listening url=\(https:[^ ]*\).*/\1/p' "$scratch/log")
vms=$url/apis/kubevirt.io/v1/namespaces/default/virtualmachines
with() { # TOKEN [CURL OPTIONS] URL: prints the status
    token=$1
    shift
    curl -s -o "$scratch/answer" -w '%{http_code}' --cacert "$scratch/state/pki/ca.crt" -H "Authorization: Bearer $token" "$@"
}
config() { # ROLE
    "$rtvmd" kubeconfig --server "$url" --state-dir "$scratch/state" --user "$1-user" --role "$1" >"$scratch/$1.kubeconfig"
}
as() { # ROLE KUBECTL ARGUMENTS
    role=$1
    shift
    kubectl --kubeconfig "$scratch/$role.kubeconfig" --cache-dir "$scratch/cache" "$@"
}

config view && config edit && config admin
result $? "kubeconfigs are made"
as view get nodes >/dev/null && as view get virtualmachines >/dev/null
result $? "a viewer may look"
! as view create configmap a --from-literal=x=y 2>"$scratch/err" && grep -q 'forbidden: User "view-user" cannot create' "$scratch/err"
result $? "a viewer may not write, and is told so in Kubernetes' words"
as edit create configmap a --from-literal=x=y >/dev/null && ! as edit create namespace other 2>/dev/null
result $? "an editor may write objects, not namespaces"
as admin create namespace other >/dev/null && [ "$(as admin auth can-i delete namespaces 2>/dev/null)" = yes ]
result $? "an admin may"

token=$("$rtvmd" token create --user ci --role view 2>/dev/null)
[ "$(with "$token" "$vms")" = 200 ] && [ "$(with "$token" -X DELETE "$vms/x")" = 403 ]
result $? "a token has the role it was made with"
[ "$(with "$token" "$url/rtvmd/v1/tokens")" = 403 ]
result $? "tokens are not for viewers"
[ "$(with "$token" "$url/rtvmd/v1/backup")" = 403 ]
result $? "nor are backups"
! grep -q "${token#*.}" "$scratch/log" && ! grep -aq "${token#*.}" "$scratch/state"/*.db*
result $? "the token is neither in the log nor in the store"
"$rtvmd" token revoke "${token%%.*}" >/dev/null && [ "$(with "$token" "$vms")" = 401 ]
result $? "a revoked token is worth nothing"
[ "$(with nonsense "$vms")" = 401 ] && [ "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$scratch/state/pki/ca.crt" "$vms")" = 401 ]
result $? "strangers are not let in"
! curl -s --cacert "$scratch/state/pki/ca.crt" --tls-max 1.1 "$vms" >/dev/null && ! curl -s "http://${url#https://}/version" >/dev/null
result $? "neither old TLS nor none at all"
! "$rtvmd" serve --state-dir "$scratch/other" --socket "$scratch/other.sock" --listen 0.0.0.0:0 --plain-http 2>"$scratch/err" &&
    grep -q loopback "$scratch/err"
result $? "plain HTTP is for loopback only"
kill "$daemon"
wait "$daemon"
result $? "the daemon ends well"
daemon=""
echo "1..$n"
exit $failed
