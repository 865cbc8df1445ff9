#!/bin/sh
# Who may do what over TCP: a kubeconfig with a client certificate, bearer tokens, roles, strangers. Real kubectl and
# curl against a daemon on libvirt's test driver; no root needed.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/integration/alone_lib.sh
. tests/integration/alone_lib.sh

serve --listen 127.0.0.1:0
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
curl -sN --cacert "$scratch/state/pki/ca.crt" -H "Authorization: Bearer $token" "$vms?watch=true" >"$scratch/watch" &
watcher=$!
for _ in $(seq 50); do
    watches=$(curl -s --unix-socket "$RTVMD_SOCKET" http://x/metrics | grep '^rtvmd_api_watches ')
    [ "$watches" = "rtvmd_api_watches 1" ] && break
    sleep 0.1
done
"$rtvmd" token revoke "${token%%.*}" >/dev/null && [ "$(with "$token" "$vms")" = 401 ]
result $? "a revoked token is worth nothing"
(sleep 10 && kill "$watcher" 2>/dev/null) &
killer=$!
[ "$watches" = "rtvmd_api_watches 1" ] && wait "$watcher" && grep -q '"type":"ERROR".*the token was revoked' "$scratch/watch"
result $? "and a watch begun with it ends with an ERROR event"
kill "$killer" 2>/dev/null
short=$("$rtvmd" token create --user short --role view 2>/dev/null)
sed -n 's/.*\(audit .*\)/\1/p' "$scratch/log" >"$scratch/audit"
grep -q "^audit user=\"uid:$(id -u)\" verb=create resource=tokens namespace= name=${token%%.*} status=201$" "$scratch/audit" &&
    grep -q "^audit user=\"uid:$(id -u)\" verb=delete resource=tokens namespace= name=${token%%.*} status=200$" "$scratch/audit" &&
    grep -q '^audit user="view-user" verb=create resource=configmaps namespace=default name= status=403$' "$scratch/audit" &&
    [ "$(grep -c '^audit user="edit-user" verb=create resource=configmaps namespace=default name=a status=201$' "$scratch/audit")" = 1 ] &&
    ! grep -q "${token#*.}\|${short#*.}" "$scratch/log"
result $? "each write has its line in the log, tokens too, and no secret is in it"
[ "$(stat -c %a "$scratch/state/pki")" = 700 ] &&
    [ "$(stat -c %a "$scratch/state/pki/ca.key" "$scratch/state/pki/server.key" "$RTVMD_SOCKET" | sort -u | tr '\n' ' ')" = '600 660 ' ] &&
    [ -z "$(find "$scratch/state" -maxdepth 1 -type f -perm /077)" ]
result $? "keys and the store are their owner's, the socket is its group's"
# Every verb and subresource, by role: 403 or anything else.
subresources=/apis/subresources.kubevirt.io/v1/namespaces/default
try() { # ROLE METHOD PATH: "no" when it is forbidden
    code=$(curl -s -o /dev/null -w '%{http_code}' -X "$2" --cacert "$scratch/state/pki/ca.crt" -H "Authorization: Bearer $(cat "$scratch/$1.token")" \
        -H 'Content-Type: application/json' -d '{}' "$url$3")
    case $code in
    403) echo no ;;
    000 | 401 | 503) echo "$code" ;; # 500 is what guestosinfo answers
    *) echo yes ;;
    esac
}
for role in view edit admin; do "$rtvmd" token create --user "$role" --role "$role" 2>/dev/null >"$scratch/$role.token"; done
while read -r method path view edit admin; do
    for role in view edit admin; do
        case $role in view) wanted=$view ;; edit) wanted=$edit ;; *) wanted=$admin ;; esac
        found=$(try $role "$method" "$path")
        [ "$found" = "$wanted" ] || echo "$role $method $path: $found, wanted $wanted"
    done
done >"$scratch/wrong" <<END
GET /apis/kubevirt.io/v1/virtualmachines yes yes yes
POST /apis/kubevirt.io/v1/namespaces/default/virtualmachines no yes yes
PUT /apis/kubevirt.io/v1/namespaces/default/virtualmachines/x no yes yes
PATCH /apis/kubevirt.io/v1/namespaces/default/virtualmachines/x no yes yes
DELETE /apis/kubevirt.io/v1/namespaces/default/virtualmachines/x no yes yes
DELETE /apis/kubevirt.io/v1/namespaces/default/virtualmachines no yes yes
PUT /apis/kubevirt.io/v1/namespaces/default/virtualmachines/x/status no yes yes
GET /api/v1/namespaces/default/secrets no yes yes
GET /api/v1/namespaces/default/secrets/x no yes yes
GET /api/v1/namespaces/default/secrets?watch=true&timeoutSeconds=1 no yes yes
GET /api/v1/namespaces/default/configmaps/x yes yes yes
POST /api/v1/namespaces no no yes
DELETE /api/v1/namespaces/x no no yes
DELETE /apis/rtvmd.io/v1alpha1/hostchanges/x no no yes
POST /apis/rtvmd.io/v1alpha1/namespaces/default/latencytests no yes yes
GET /apis/rtvmd.io/v1alpha1/namespaces/default/placements/x/verify yes yes yes
POST /apis/rtvmd.io/v1alpha1/namespaces/default/placements/x/verify no yes yes
GET /apis/rtvmd.io/v1alpha1/namespaces/default/placements/x/verify?repair=true no yes yes
PUT $subresources/virtualmachines/x/start no yes yes
PUT $subresources/virtualmachines/x/stop no yes yes
PUT $subresources/virtualmachines/x/restart no yes yes
PUT $subresources/virtualmachines/x/addvolume no yes yes
PUT $subresources/virtualmachines/x/removevolume no yes yes
PUT $subresources/virtualmachines/x/migrate no yes yes
GET $subresources/virtualmachines/x/expand-spec yes yes yes
GET $subresources/virtualmachines/x/portforward/22 no yes yes
PUT $subresources/virtualmachineinstances/x/pause no yes yes
PUT $subresources/virtualmachineinstances/x/unpause no yes yes
PUT $subresources/virtualmachineinstances/x/softreboot no yes yes
PUT $subresources/virtualmachineinstances/x/reset no yes yes
PUT $subresources/virtualmachineinstances/x/freeze no yes yes
PUT $subresources/virtualmachineinstances/x/unfreeze no yes yes
GET $subresources/virtualmachineinstances/x/console no yes yes
GET $subresources/virtualmachineinstances/x/vnc no yes yes
GET $subresources/virtualmachineinstances/x/portforward/22/udp no yes yes
GET $subresources/virtualmachineinstances/x/guestosinfo yes yes yes
GET $subresources/virtualmachineinstances/x/userlist yes yes yes
GET $subresources/virtualmachineinstances/x/filesystemlist yes yes yes
PUT $subresources/namespaces/default/expand-vm-spec yes yes yes
GET /metrics yes yes yes
GET /rtvmd/v1/tokens no no yes
POST /rtvmd/v1/tokens no no yes
DELETE /rtvmd/v1/tokens/x no no yes
GET /rtvmd/v1/backup no no yes
END
[ ! -s "$scratch/wrong" ]
result $? "roles: every verb and subresource"
sed 's/^/# /' "$scratch/wrong"
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
# Without TLS everybody on this machine is an admin, so that pages in its browsers must be kept out.
serve --listen 127.0.0.1:0 --plain-http
plain() { # CURL OPTIONS: prints the status
    curl -s -o "$scratch/answer" -w '%{http_code}' "$@"
}
[ "$(plain "$url/api/v1/namespaces")" = 200 ] && [ "$(plain "http://localhost:${url##*:}/api/v1/namespaces")" = 200 ] &&
    [ "$(plain -H "Origin: $url" "$url/api/v1/namespaces")" = 200 ]
result $? "plain HTTP: tools and a page of our own are served"
[ "$(plain -H 'Origin: https://evil.example' -X POST -H 'Content-Type:' --data-binary '{"metadata":{"name":"evil"}}' \
    "$url/api/v1/namespaces/default/configmaps")" = 403 ] && grep -q 'pages of other sites' "$scratch/answer" &&
    [ "$(plain -H 'Origin: null' "$url/api/v1/namespaces")" = 403 ] &&
    [ "$(plain -H 'Origin: http://evil.example' -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
        -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$url$subresources/virtualmachineinstances/x/console")" = 403 ]
result $? "plain HTTP: pages of other sites are not, nor their web sockets"
[ "$(plain -H 'Host: evil.example' "$url/api/v1/namespaces")" = 403 ] && grep -q 'no name of the loopback device' "$scratch/answer" &&
    [ "$(plain -H 'Host: 127.0.0.1.evil.example' "$url/api/v1/namespaces")" = 403 ] && [ "$(plain -H 'Host: [::1]:80' "$url/api/v1/namespaces")" = 200 ]
result $? "plain HTTP: a name that was bent to the loopback device is not"
kill "$daemon"
wait "$daemon"
daemon=""
echo "1..$n"
exit $failed
