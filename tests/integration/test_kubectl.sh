#!/bin/sh
# The real kubectl against rtvmd, with nothing but an address: what people do with it all day. The VMs run on libvirt's
# test driver, so this needs neither root nor KVM. Tried are the kubectl of this machine and Debian's, which is older;
# KUBECTL names others to try instead (a list).
# shellcheck disable=SC2317  # functions are called through check
set -u
# shellcheck source=tests/integration/lab_lib.sh
. tests/integration/lab_lib.sh

programs=${KUBECTL:-$(tests/setup/kubectl.sh "${BUILD:-build}/kubernetes-client")}
[ -n "$programs" ] || skip_all "kubectl" "there is no kubectl: make deps"

folder=$(mktemp -d /tmp/rtvmd-kubectl-XXXXXX)
daemon=""
trap '[ -z "$daemon" ] || kill "$daemon"; rm -rf "$folder"' EXIT
"$RTVMD_BINARY" serve --state-dir "$folder/state" --libvirt test:///default --listen 127.0.0.1:0 --plain-http \
    2>"$folder/log" &
daemon=$!
tries=0
until grep -qs ' ready ' "$folder/log" || [ "$tries" -eq 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
server=$(sed -n 's/.*listening url=//p' "$folder/log")
export HOME="$folder" KUBECONFIG="$folder/none"

vm() {
    cat <<END
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: $1
  labels: {app: web}
spec:
  runStrategy: $2
  template:
    metadata:
      labels: {app: web}
    spec:
      domain:
        cpu: {cores: 1}
        memory: {guest: 64Mi}
        devices: {}
END
}

k() {
    "$kubectl" --server "$server" --cache-dir "$folder/cache-$version" "$@"
}
# prints PATTERN COMMAND…: the output of kubectl holds a line that matches
prints() {
    prints_pattern=$1
    shift
    k "$@" >"$folder/out" 2>&1 || { cat "$folder/out"; return 1; }
    grep -Eq -- "$prints_pattern" "$folder/out" || { cat "$folder/out"; return 1; }
}
# refuses PATTERN COMMAND…: kubectl fails and says so
refuses() {
    refuses_pattern=$1
    shift
    if k "$@" >"$folder/out" 2>&1; then
        cat "$folder/out"
        return 1
    fi
    grep -Eq -- "$refuses_pattern" "$folder/out" || { cat "$folder/out"; return 1; }
}
# with FILE-CONTENT-COMMAND -- check function arguments: writes the manifest first
manifest() {
    vm "$@" >"$folder/vm.yaml"
}
newer_than() {
    [ "$minor" -gt "$1" ]
}

discovery() {
    check "$version: version" prints "Server Version" version
    check "$version: api-resources" prints "virtualmachineinstances +vmi,vmis +kubevirt.io/v1 +true +VirtualMachineInstance" api-resources
    check "$version: api-versions" prints "^kubevirt.io/v1$" api-versions
    check "$version: explain a field in our words" prints "SCHED_FIFO" explain vmi.spec.domain.cpu.realtime
    check "$version: explain --recursive" prints "guestMappingPassthrough" explain vm --recursive
    check "$version: explain a core kind" prints "configMap volume" explain configmap.data
    if newer_than 24; then
        check "$version: explain a field of the status" prints "State in one word" explain vm.status.printableStatus
    else
        skip "$version: explain a field of the status" "only documents of OpenAPI 3 have it"
    fi
    check "$version: explain a kind of ours" prints "fifoPriority" explain placement.spec
    check "$version: auth can-i" prints "^yes$" auth can-i create virtualmachines
    if newer_than 27; then
        check "$version: auth whoami" prints "Username" auth whoami
    else
        skip "$version: auth whoami" "kubectl is too old for it"
    fi
}

objects() {
    manifest one Always
    check "$version: apply creates" prints "virtualmachine.kubevirt.io/one created" apply -f "$folder/vm.yaml"
    check "$version: apply again changes nothing" prints "virtualmachine.kubevirt.io/one unchanged" apply -f "$folder/vm.yaml"
    check "$version: wait --for=condition" prints "condition met" wait --for=condition=Ready vm/one --timeout=10s
    if newer_than 22; then
        check "$version: wait --for=jsonpath" prints "condition met" wait --for=jsonpath='{.status.phase}'=Running vmi/one --timeout=10s
    else
        skip "$version: wait --for=jsonpath" "kubectl is too old for it"
    fi
    check "$version: get as a table" prints "^NAME +AGE +STATUS +READY" get vm
    check "$version: get prints the row" prints "^one +[0-9]+s +Running +True" get vm one
    check "$version: get -o wide" prints "LIVE-MIGRATABLE +PAUSED" get vmi -o wide
    check "$version: get by short name and all namespaces" prints "^default +one" get vmi -A
    check "$version: get all" prints "virtualmachineinstance.kubevirt.io/one" get all
    check "$version: get -o yaml" prints "runStrategy: Always" get vm one -o yaml
    check "$version: get -o json" prints '"printableStatus": "Running"' get vm one -o json
    check "$version: get -o name" prints "^virtualmachine.kubevirt.io/one$" get vm -o name
    check "$version: get -o jsonpath" prints "^64Mi$" get vm one -o 'jsonpath={.spec.template.spec.domain.memory.guest}'
    check "$version: get -o custom-columns" prints "^one +Always" get vm -o custom-columns=N:.metadata.name,S:.spec.runStrategy
    check "$version: get --show-labels" prints "app=web" get vm --show-labels
    check "$version: get -l" prints "^one" get vm -l app=web
    check "$version: get -l without a match" prints "No resources found" get vm -l app=db
    check "$version: get --field-selector" prints "^one" get vm --field-selector metadata.name=one
    check "$version: get --chunk-size" prints "^one" get vm --chunk-size=1
    check "$version: get --sort-by" prints "^one" get vm --sort-by=.metadata.name
    check "$version: get what is not there" refuses '\(NotFound\): virtualmachines.kubevirt.io "none" not found' get vm none
    check "$version: get the node" prints "Ready" get nodes
    check "$version: describe the node" prints "Capacity:" describe node
    check "$version: get events" prints "VirtualMachineInstance started" get events
    check "$version: get events of one object" prints "Started" get events --field-selector involvedObject.name=one
    if newer_than 25; then
        check "$version: events" prints "SuccessfulCreate" events
    else
        skip "$version: events" "kubectl is too old for it"
    fi
    check "$version: describe shows events" prints "Started +.*VirtualMachineInstance started" describe vmi one
    check "$version: placements" prints "^one +Running" get placements
    check "$version: host changes" prints "No resources found" get hostchanges
}

changes() {
    check "$version: label" prints "labeled" label vm one tier=front
    check "$version: label again needs --overwrite" refuses "already has a value" label vm one tier=back
    check "$version: label is there" prints "^one" get vm -l tier=front
    check "$version: label taken off" prints "(unlabeled|labeled)" label vm one tier-
    check "$version: annotate" prints "annotated" annotate vm one note=hello
    check "$version: patch, merge" prints "patched" patch vm one --type=merge -p '{"spec":{"runStrategy":"Halted"}}'
    check "$version: patch, JSON" prints "patched" patch vm one --type=json -p '[{"op":"replace","path":"/spec/runStrategy","value":"Always"}]'
    check "$version: patch, JSON with a failing test" refuses "test|request is invalid" patch vm one --type=json -p '[{"op":"test","path":"/spec/runStrategy","value":"No"}]'
    check "$version: patch, strategic, is refused for VMs" refuses "UnsupportedMediaType|415|unknown format|strategic" patch vm one --type=strategic -p '{"spec":{}}'
    manifest one Manual
    check "$version: diff shows the difference" diff_shows
    check "$version: apply --dry-run=server" prints "configured \(server dry run\)" apply --dry-run=server -f "$folder/vm.yaml"
    check "$version: the dry run changed nothing" prints "^Always$" get vm one -o 'jsonpath={.spec.runStrategy}'
    check "$version: replace" prints "replaced" replace -f "$folder/vm.yaml"
    check "$version: edit" edits
    check "$version: create of what is there" refuses "AlreadyExists" create -f "$folder/vm.yaml"
    check "$version: a stale resourceVersion conflicts" stale_conflicts
}

diff_shows() {
    k diff -f "$folder/vm.yaml" >"$folder/out" 2>&1
    [ $? -eq 1 ] || { cat "$folder/out"; return 1; }
    grep -q '^+  runStrategy: Manual' "$folder/out" || { cat "$folder/out"; return 1; }
}
edits() {
    k label vm one tier=front >/dev/null || return 1
    # shellcheck disable=SC2016
    printf '#!/bin/sh\nsed -i s/front/back/ "$1"\n' >"$folder/editor"
    chmod +x "$folder/editor"
    KUBE_EDITOR="$folder/editor" k edit vm one >"$folder/out" 2>&1 && prints "tier: back" get vm one -o yaml
}
stale_conflicts() {
    k get vm one -o json >"$folder/stale.json" || return 1
    k label vm one touched=yes >/dev/null || return 1
    refuses "Conflict|object has been modified" replace -f "$folder/stale.json"
}

checks() {
    printf 'apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: bad}\nspec: {runStrategy: Sometimes}\n' >"$folder/bad.yaml"
    if newer_than 24; then
        check "$version: an invalid VM is refused with its causes" refuses 'runStrategy|template' apply -f "$folder/bad.yaml"
        vm odd Halted | sed 's/cores: 1/cores: 1, coros: 2/' >"$folder/odd.yaml"
        check "$version: an unknown field is refused" refuses 'unknown field "spec.template.spec.domain.cpu.coros"' apply -f "$folder/odd.yaml"
        check "$version: or only warned about" prints 'unknown field "spec.template.spec.domain.cpu.coros"' apply --validate=warn -f "$folder/odd.yaml"
        check "$version: or not even that" prints 'configured|unchanged' apply --validate=ignore -f "$folder/odd.yaml"
    else
        check "$version: an invalid VM is refused by its schema" refuses 'ValidationError|invalid' apply -f "$folder/bad.yaml"
        vm odd Halted | sed 's/cores: 1/cores: 1, coros: 2/' >"$folder/odd.yaml"
        check "$version: an unknown field is refused by its schema" refuses 'unknown field "coros"' apply -f "$folder/odd.yaml"
        check "$version: or not" prints 'created' apply --validate=false -f "$folder/odd.yaml"
    fi
    k delete vm odd >/dev/null 2>&1
}

server_side() {
    manifest ssa Halted
    check "$version: apply --server-side" prints "serverside-applied" apply --server-side -f "$folder/vm.yaml"
    check "$version: apply --server-side again" prints "serverside-applied" apply --server-side -f "$folder/vm.yaml"
    manifest ssa Manual
    check "$version: another manager conflicts" refuses "conflict with|conflicts with" apply --server-side --field-manager=other -f "$folder/vm.yaml"
    check "$version: and may insist" prints "serverside-applied" apply --server-side --field-manager=other --force-conflicts -f "$folder/vm.yaml"
    newer_than 20 && show=--show-managed-fields || show=
    # shellcheck disable=SC2086
    check "$version: it owns the field now" prints "manager: other" get vm ssa -o yaml $show
    printf 'apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: ssa}\nspec: {template: {spec: {domain: {devices: {disks: [{name: x, disk: {bus: virtio}}]}}, volumes: [{name: x, emptyDisk: {capacity: 1Gi}}]}}}\n' >"$folder/disks.yaml"
    check "$version: filling what another left empty is no conflict" prints "serverside-applied" apply --server-side --field-manager=disks -f "$folder/disks.yaml"
    check "$version: and stays when that one applies again" prints "serverside-applied" apply --server-side --field-manager=other -f "$folder/vm.yaml"
    check "$version: the disk is there" prints "^x$" get vm ssa -o 'jsonpath={.spec.template.spec.domain.devices.disks[0].name}'
    manifest one Manual
    check "$version: from client-side to server-side apply" prints "serverside-applied" apply --server-side --force-conflicts -f "$folder/vm.yaml"
    k delete vm ssa >/dev/null 2>&1
}

# document KIND APIVERSION: a manifest of something that is not for us
document() {
    printf 'apiVersion: %s\nkind: %s\nmetadata: {name: a}\n' "$2" "$1" >"$folder/$1.yaml"
}
# three documents, the second is wrong
several() {
    { vm "$1-a" Halted && echo --- && vm "$1-b" Sometimes && echo --- && vm "$1-c" Halted; } >"$folder/several.yaml"
}
listed() {
    printf 'apiVersion: %s\nkind: %s\nitems:\n' "$2" "$1"
    vm in-list Halted | sed '1s/^/- /; 2,$s/^/  /'
}
diff_is_short() {
    k diff -f "$folder/vm.yaml" >"$folder/out" 2>&1
    grep -q '^+  runStrategy: Manual' "$folder/out" && ! grep -q '^[+-].*resourceVersion' "$folder/out"
}
# Fields nobody knows are warned of when they are written, not whenever the object is touched.
odd_field_is_old_news() {
    k patch vm conv --type=merge -p '{"spec":{"template":{"spec":{"domain":{"cpu":{"coros":3}}}}}}' >"$folder/out" 2>&1
    grep -q 'unknown field "spec.template.spec.domain.cpu.coros"' "$folder/out" || return 1
    k label vm conv seen=yes >"$folder/out" 2>&1 && ! grep -q Warning "$folder/out" || return 1
    newer_than 24 || return 0 # older ones ask their own schema first
    # shellcheck disable=SC2016
    printf '#!/bin/sh\nsed -i s/seen:.*/seen:\\ twice/ "$1"\n' >"$folder/editor"
    KUBE_EDITOR="$folder/editor" prints "edited" edit vm conv
}

as_on_a_cluster() {
    manifest conv Halted
    check "$version: cluster-info" prints "running at" cluster-info
    check "$version: cluster-info dump" k cluster-info dump --output-directory "$folder/dump-$minor"
    check "$version: kinds of a cluster are empty" prints "No resources found" get services,deployments,crd
    document Service v1
    check "$version: and stay so" refuses "there are no services here: rtvmd runs virtual machines" apply -f "$folder/Service.yaml"
    document Foo v1
    check "$version: a kind nobody knows" refuses 'no matches for kind "Foo" in version "v1"' apply -f "$folder/Foo.yaml"
    document VirtualMachinePreference instancetype.kubevirt.io/v1beta1
    check "$version: KubeVirt's kinds that are not here" refuses 'no matches for kind "VirtualMachinePreference"' apply -f "$folder/VirtualMachinePreference.yaml"
    check "$version: nobody acts as somebody else" refuses "nobody acts as somebody else here" get vm --as=bob
    several conv
    check "$version: one bad document of three" refuses 'The VirtualMachine "conv-b" is invalid: spec.runStrategy: Invalid RunStrategy' apply -f "$folder/several.yaml"
    check "$version: the others are made" prints "conv-c" get vm conv-a conv-c
    listed List v1 >"$folder/list.yaml"
    check "$version: apply of a List" prints "in-list created" apply -f "$folder/list.yaml"
    listed VirtualMachineList kubevirt.io/v1 >"$folder/list.yaml"
    check "$version: apply of a VirtualMachineList" prints "in-list (unchanged|configured)" apply -f "$folder/list.yaml"
    k apply -f "$folder/vm.yaml" >/dev/null 2>&1
    check "$version: an invalid label is named once" refuses 'is invalid: metadata.labels: Invalid value: "bad label"' label vm conv 'bad label=x'
    check "$version: unknown fields are said once" odd_field_is_old_news
    manifest conv Manual
    check "$version: diff shows no new version" diff_is_short
    if newer_than 27; then
        check "$version: apply --prune knows all kinds" prints "conv configured" apply --prune -l app=web -f "$folder/vm.yaml"
    else
        skip "$version: apply --prune knows all kinds" "kubectl asks for kinds that no cluster has any more"
    fi
    k delete vm conv conv-a conv-c in-list >/dev/null 2>&1
}

core_kinds() {
    check "$version: create namespace" prints "created" create namespace "space"
    check "$version: create secret" prints "created" create secret generic s --from-literal=password=x -n space
    check "$version: get secret" prints "^s +Opaque +1" get secret -n space
    check "$version: create configmap" prints "created" create configmap c --from-literal=a=b -n space
    check "$version: patch configmap, strategic" prints "patched" patch configmap c -n space -p '{"data":{"b":"c"}}'
    check "$version: both keys are there" prints '"a":"b","b":"c"' get configmap c -n space -o 'jsonpath={.data}'
    check "$version: an object in no namespace" refuses 'namespaces "nowhere" not found' create configmap c -n nowhere
    check "$version: delete namespace with its content" prints "deleted" delete namespace space --timeout=20s
    check "$version: it is gone" refuses "NotFound" get namespace space
}

watches() {
    manifest two Always
    k get vmi -w >"$folder/watch" 2>&1 &
    watching=$!
    check "$version: create" prints "created" create -f "$folder/vm.yaml"
    k wait --for=condition=Ready vm/two --timeout=10s >/dev/null 2>&1
    check "$version: delete waits until it is gone" prints "deleted" delete vm two --timeout=20s
    check "$version: it is gone" refuses "NotFound" get vm two
    check "$version: delete --ignore-not-found" k delete vm two --ignore-not-found
    sleep 0.3
    kill "$watching"
    wait "$watching" 2>/dev/null
    check "$version: get -w saw it run" grep -Eq '^two +[0-9]+s +Running' "$folder/watch"
    check "$version: delete -l" prints "deleted" delete vm -l app=web --timeout=20s
    check "$version: nothing is left" prints "No resources found" get vm,vmi
}

# audits NAME STATUS: the log has the line of a create that was refused
audits() {
    grep -E "audit .*verb=create resource=virtualmachines.kubevirt.io namespace=default name=$1 status=$2" "$folder/log"
}
names_are_audited() {
    vm fine Sometimes | sed 's/name: fine/generateName: many-/' >"$folder/many.yaml"
    vm fine Sometimes >"$folder/fine.yaml"
    k create --validate=false -f "$folder/many.yaml" >/dev/null 2>&1
    k create --validate=false -f "$folder/fine.yaml" >/dev/null 2>&1
    check "the audit line of a refused create names it" audits fine 422
    check "or what its name begins with" audits 'many-\*' 422
}

for kubectl in $programs; do
    minor=$("$kubectl" version --client -o json 2>/dev/null | jq -r '.clientVersion.minor' | tr -dc 0-9)
    version="kubectl 1.$minor"
    discovery
    objects
    changes
    checks
    server_side
    as_on_a_cluster
    core_kinds
    watches
done
names_are_audited
[ -n "${KUBECTL:-}" ] || [ "$(echo "$programs" | wc -l)" -gt 1 ] || dpkg-query -S "$programs" >/dev/null 2>&1 ||
    skip "Debian's kubectl" "its package cannot be downloaded here"
check "the daemon says nothing about errors" sh -c "! grep -E '^error' '$folder/log'"
kill "$daemon" && wait "$daemon"
check "the daemon ended well" [ $? -eq 0 ]
daemon=""
finish
