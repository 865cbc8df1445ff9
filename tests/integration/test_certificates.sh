#!/bin/sh
# Certificates over TLS: what a client's must be, what the server's says, old protocols, and exchanging the CA under
# load without a restart. Real curl and openssl against a daemon on libvirt's test driver; no root needed.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/integration/alone_lib.sh
. tests/integration/alone_lib.sh
command -v openssl >/dev/null || skip_all "certificates" "needs openssl"

pki=$scratch/state/pki
serve --listen 127.0.0.1:0

# sign NAME START END USAGE SUBJECT: a client certificate of the daemon's own CA
sign() {
    printf '[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=%s\ndatabase=%s/index\nserial=%s/serial\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\nO=optional\nCN=supplied\n' \
        "$scratch" "$scratch" "$scratch" >"$scratch/ca.conf"
    printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\n' "$4" >"$scratch/extensions"
    : >"$scratch/index"
    openssl rand -hex 8 >"$scratch/serial"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$5" -keyout "$scratch/$1.key" -out "$scratch/$1.csr" 2>/dev/null &&
        openssl ca -batch -notext -config "$scratch/ca.conf" -cert "$pki/ca.crt" -keyfile "$pki/ca.key" -startdate "$2" -enddate "$3" \
            -extfile "$scratch/extensions" -in "$scratch/$1.csr" -out "$scratch/$1.crt" 2>"$scratch/openssl.log"
}
# get NAME [CURL OPTIONS]: with that certificate; prints the status, 000 when the handshake failed
get() {
    name=$1
    shift
    curl -s -m 10 -o "$scratch/answer" -w '%{http_code}' --cacert "$pki/ca.crt" --cert "$scratch/$name.crt" --key "$scratch/$name.key" "$@" \
        "$url/api/v1/namespaces"
}
sign good 20200101000000Z 20400101000000Z clientAuth /O=rtvmd:view/CN=good &&
    sign expired 20200101000000Z 20210101000000Z clientAuth /O=rtvmd:admin/CN=expired &&
    sign early 20390101000000Z 20400101000000Z clientAuth /O=rtvmd:admin/CN=early &&
    sign server 20200101000000Z 20400101000000Z serverAuth /O=rtvmd:admin/CN=server &&
    sign nobody 20200101000000Z 20400101000000Z clientAuth /O=people/CN=nobody
result $? "certificates are signed by the daemon's CA"
[ "$(get good)" = 200 ]
result $? "a good certificate is let in"
[ "$(get expired)" = 000 ] && grep -q 'client certificate refused:.*expired' "$scratch/log"
result $? "an expired one is not, and the log says why"
[ "$(get early)" = 000 ] && grep -q 'client certificate refused:.*future' "$scratch/log"
result $? "nor one of the future"
[ "$(get server)" = 000 ] && grep -q 'client certificate refused:.*extendedKeyUsage' "$scratch/log"
result $? "nor a server's"
cp "$scratch/good.crt" "$scratch/mixed.crt" && cp "$scratch/nobody.key" "$scratch/mixed.key" && [ "$(get mixed)" = 000 ]
result $? "nor one whose key the client has not got"
[ "$(get nobody)" = 403 ] && [ "$(curl -s -o "$scratch/answer" -w '%{http_code}' --cacert "$pki/ca.crt" --cert "$scratch/nobody.crt" \
    --key "$scratch/nobody.key" "$url/metrics")" = 403 ] && grep -q 'it has no role' "$scratch/answer"
result $? "one without a role is known and may see nothing, metrics neither"
openssl s_client -connect "127.0.0.1:$port" </dev/null 2>/dev/null | openssl x509 -noout -text >"$scratch/server.txt" &&
    grep -q 'DNS:localhost' "$scratch/server.txt" && grep -q 'IP Address:127.0.0.1' "$scratch/server.txt" && grep -q "DNS:$(hostname)" "$scratch/server.txt" &&
    [ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' --cacert "$pki/ca.crt" "https://localhost:$port/version")" = 200 ] &&
    [ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' --cacert "$pki/ca.crt" --resolve "other.example:$port:127.0.0.1" "https://other.example:$port/version")" = 000 ]
result $? "the server's certificate names this host, and no other"
old=0
for version in tls1 tls1_1; do
    openssl s_client "-$version" -cipher 'ALL:@SECLEVEL=0' -connect "127.0.0.1:$port" </dev/null >"$scratch/answer" 2>&1 && old=1
    grep -q 'Cipher is (NONE)' "$scratch/answer" || old=1
done
openssl s_client -tls1_2 -cipher AES128-SHA -connect "127.0.0.1:$port" </dev/null >"$scratch/answer" 2>&1
grep -q 'Cipher is (NONE)' "$scratch/answer" && [ "$old" = 0 ]
result $? "TLS 1.0, 1.1 and CBC suites are refused"

# The CA is exchanged while clients ask on, each with a new connection: every answer is of the old or of the new one.
"$rtvmd" kubeconfig --server "$url" --state-dir "$scratch/state" --user before --role view >"$scratch/before.kubeconfig"
cp "$pki/ca.crt" "$scratch/old-ca.crt"
touch "$scratch/asking"
for i in 1 2 3; do
    while [ -e "$scratch/asking" ]; do
        # both CAs are trusted, as during any exchange; who read the file a moment before does not know the new one (60)
        cat "$scratch/old-ca.crt" "$pki/ca.crt" >"$scratch/both.$i" 2>/dev/null
        curl -s -m 10 -o /dev/null -w '%{http_code}\n' --cacert "$scratch/both.$i" "$url/version" || echo "curl: $?"
    done >"$scratch/asked.$i" &
    eval "asker$i=$!"
done
# answered N: until so many asked well, however busy the machine is
answered() {
    for _ in $(seq 300); do
        [ "$(cat "$scratch"/asked.* | grep -c '^200$')" -ge "$1" ] && break
        sleep 0.1
    done
}
answered 6
rm "$pki/ca.crt" "$pki/ca.key" && kill -HUP "$daemon"
for _ in $(seq 300); do
    [ "$(curl -s -m 10 -o /dev/null -w '%{http_code}' --cacert "$pki/ca.crt" "$url/version" 2>/dev/null)" = 200 ] && break
    sleep 0.1
done
answered $(($(cat "$scratch"/asked.* | grep -c '^200$') + 6))
rm "$scratch/asking"
# shellcheck disable=SC2154  # set by eval
wait "$asker1" "$asker2" "$asker3"
[ "$(cat "$scratch"/asked.* | grep -c '^200$')" -ge 12 ] && ! cmp -s "$scratch/old-ca.crt" "$pki/ca.crt" &&
    ! cat "$scratch"/asked.* | grep -v '^200$\|^000$\|^curl: 60$' && [ "$(cat "$scratch"/asked.* | grep -c '^curl: 60$')" -le 3 ] && [ "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$pki/ca.crt" "$url/version")" = 200 ]
result $? "a new CA: SIGHUP makes a server certificate of it, clients are answered all the time"
[ "$(get good)" = 000 ] && "$rtvmd" kubeconfig --server "$url" --state-dir "$scratch/state" --user after --role view >"$scratch/after.kubeconfig" &&
    sign again 20200101000000Z 20400101000000Z clientAuth /O=rtvmd:view/CN=again && [ "$(get again)" = 200 ]
result $? "certificates of the old CA are worth nothing then, those of the new one are"
kill "$daemon"
wait "$daemon"
result $? "the daemon ends well"
# A crash between the two files of a new server certificate.
openssl ecparam -name prime256v1 -genkey -noout -out "$pki/server.key" 2>/dev/null
serve --listen 127.0.0.1:0
[ -n "$url" ] && [ "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$pki/ca.crt" "$url/version")" = 200 ] && [ "$(stat -c %a "$pki/server.key")" = 600 ]
result $? "a key that does not belong to its certificate is made anew with it"
kill "$daemon"
wait "$daemon"
daemon=""
echo "1..$n"
exit $failed
