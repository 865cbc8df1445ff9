#!/bin/sh
# create and apply with a daemon on libvirt's test driver: a namespace without a file, objects in the namespace they name.
# shellcheck disable=SC2317  # results are made by check
set -u
program=${BUILD:-build}/rtvmd
folder=$(mktemp -d)
RTVMD_SOCKET=$folder/api.sock
export RTVMD_SOCKET
"$program" serve --state-dir "$folder/state" --run-dir "$folder/run" --socket "$RTVMD_SOCKET" --libvirt test:///default \
    --emulation on >"$folder/log" 2>&1 </dev/null &
daemon=$!
trap 'kill "$daemon"; wait "$daemon"; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
    [ -S "$RTVMD_SOCKET" ] && break
    sleep 0.1
done
number=0

# says NAME FAILS TEXT VERB…: whether it fails (0 or 1), and a part of what is said
says() {
    name=$1 fails=$2 text=$3
    shift 3
    number=$((number + 1))
    failed=0
    said=$("$program" "$@" 2>&1) || failed=1
    if [ $failed -eq "$fails" ] && case $said in *"$text"*) true ;; *) false ;; esac then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name"
        echo "$said" | sed 's/^/# /'
    fi
}

cat >"$folder/vm.yaml" <<'END'
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: there, namespace: elsewhere-than-default}
spec:
  runStrategy: Halted
  template: {spec: {domain: {devices: {}, memory: {guest: 64Mi}}}}
END
says "a namespace that is not there, and what makes it" 1 "make it with: rtvmd create namespace elsewhere-than-default" \
    apply -f "$folder/vm.yaml"
says "that makes it" 0 "namespace/elsewhere-than-default created" create namespace elsewhere-than-default
says "once" 1 "already exists" create namespace elsewhere-than-default
says "an object goes where it says" 0 "virtualmachine.kubevirt.io/there created" apply -f "$folder/vm.yaml"
says "and is found there" 0 "there" get vm there -n elsewhere-than-default
says "and only there" 1 "not found" get vm there
says "other kinds need a file" 1 "want -f FILE, or namespace NAME" create vm one
says "a namespace has one name" 1 "want -f FILE, or namespace NAME" create namespace one two
says "a file and a word are one too many" 1 "want -f FILE" apply one -f "$folder/vm.yaml"
echo "1..$number"
