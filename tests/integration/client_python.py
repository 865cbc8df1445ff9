"""The Python client against rtvmd: client_python.py URL. Prints TAP."""
import json
import sys
import threading
import time

from kubernetes import client, dynamic, watch
from kubernetes.client.rest import ApiException

GROUP, VERSION, SPACE, PLURAL = "kubevirt.io", "v1", "default", "virtualmachines"
count = failed = 0


def check(name, ok, what=""):
    global count, failed
    count += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {name}" + ("" if ok else f"\n# {what}"))


def vm(name, strategy="Always"):
    domain = {"cpu": {"cores": 1}, "memory": {"guest": "64Mi"}, "devices": {}}
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
            "metadata": {"name": name, "labels": {"app": "py"}},
            "spec": {"runStrategy": strategy, "template": {"spec": {"domain": domain}}}}


def refused(call, *arguments, **named):
    """The status and body of a call that must fail."""
    try:
        call(*arguments, **named)
    except ApiException as error:
        return error.status, error.body
    return 0, "it was not refused"


def wait_for(what):
    end = time.monotonic() + 20
    while time.monotonic() < end and not what():
        time.sleep(0.1)
    return what()


def custom_objects(api):
    objects = client.CustomObjectsApi(api)
    where = (GROUP, VERSION, SPACE, PLURAL)
    made = objects.create_namespaced_custom_object(*where, vm("a"))
    check("create", made["metadata"]["uid"] != "")
    code, body = refused(objects.create_namespaced_custom_object, *where, vm("a"))
    check("create again: 409 AlreadyExists", code == 409 and "AlreadyExists" in body, body)
    check("it runs", wait_for(lambda: objects.get_namespaced_custom_object(*where, "a")["status"].get("ready")))
    objects.create_namespaced_custom_object(*where, vm("b", "Halted"))
    page = objects.list_namespaced_custom_object(*where, limit=1)
    rest = objects.list_namespaced_custom_object(*where, limit=1, _continue=page["metadata"]["continue"])
    check("list in pages", [i["metadata"]["name"] for i in page["items"] + rest["items"]] == ["a", "b"], (page, rest))
    everywhere = objects.list_cluster_custom_object(GROUP, VERSION, PLURAL, label_selector="app in (py)")
    check("list of all namespaces by label", len(everywhere["items"]) == 2)
    patched = objects.patch_namespaced_custom_object(*where, "b", {"metadata": {"annotations": {"n": "1"}}})
    check("merge patch", patched["metadata"]["annotations"]["n"] == "1")
    stale = dict(patched, metadata=dict(patched["metadata"], resourceVersion=made["metadata"]["resourceVersion"]))
    code, body = refused(objects.replace_namespaced_custom_object, *where, "b", stale)
    check("replace of an old version: 409 Conflict", code == 409 and "Conflict" in body, body)
    code, body = refused(objects.create_namespaced_custom_object, *where, vm("c", "Sometimes"))
    check("an invalid one: 422", code == 422 and "spec.runStrategy" in body, body)
    seen = []

    def follow():
        for event in watch.Watch().stream(objects.list_namespaced_custom_object, *where, timeout_seconds=5,
                                          resource_version=rest["metadata"]["resourceVersion"]):
            seen.append((event["type"], event["object"]["metadata"]["name"]))
            if seen[-1] == ("DELETED", "b"):
                return

    follower = threading.Thread(target=follow)
    follower.start()
    objects.delete_namespaced_custom_object(*where, "b")
    follower.join(20)
    check("watch from the list's version: changed, then deleted",
          ("MODIFIED", "b") in seen and seen[-1] == ("DELETED", "b"), seen)
    objects.delete_collection_namespaced_custom_object(*where)
    check("delete all", wait_for(lambda: not objects.list_namespaced_custom_object(*where)["items"]))


def core(api):
    v1 = client.CoreV1Api(api)
    node = v1.list_node().items[0]
    check("the Node as a typed object", node.status.capacity["cpu"] and node.status.conditions[0].type == "Ready")
    check("events as typed objects", any(e.reason == "Started" for e in v1.list_namespaced_event(SPACE).items))
    v1.create_namespaced_config_map(SPACE, {"metadata": {"name": "m"}, "data": {"a": "1"}})
    v1.patch_namespaced_config_map("m", SPACE, {"data": {"b": "2"}})
    check("strategic merge patch", v1.read_namespaced_config_map("m", SPACE).data == {"a": "1", "b": "2"})
    check("delete answers a Status", v1.delete_namespaced_config_map("m", SPACE).status == "Success")
    check("no pods", v1.list_pod_for_all_namespaces().items == [])
    review = client.V1SelfSubjectAccessReview(spec={"resourceAttributes": {"verb": "get", "resource": "nodes"}})
    check("access review", client.AuthorizationV1Api(api).create_self_subject_access_review(review).status.allowed)
    check("version", client.VersionApi(api).get_code().git_version.startswith("v1."))


def dynamic_client(api):
    machines = dynamic.DynamicClient(api).resources.get(api_version="kubevirt.io/v1", kind="VirtualMachine")
    machines.create(body=vm("d", "Halted"), namespace=SPACE)
    check("dynamic: get", machines.get(name="d", namespace=SPACE).spec.runStrategy == "Halted")
    wanted = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "d"},
              "spec": {"runStrategy": "Manual"}}
    applied = machines.patch(body=json.dumps(wanted), namespace=SPACE, name="d", field_manager="py",
                             force_conflicts=True, content_type="application/apply-patch+yaml")
    check("dynamic: server-side apply", applied.spec.runStrategy == "Manual")
    machines.patch(body=[{"op": "replace", "path": "/spec/runStrategy", "value": "Halted"}], namespace=SPACE, name="d",
                   content_type="application/json-patch+json")
    check("dynamic: JSON patch", machines.get(name="d", namespace=SPACE).spec.runStrategy == "Halted")
    found = [e["object"].metadata.name for e in machines.watch(namespace=SPACE, timeout=1)]
    check("dynamic: watch", found == ["d"], found)
    machines.delete(name="d", namespace=SPACE)
    check("dynamic: deleted", wait_for(lambda: not machines.get(namespace=SPACE).items))


configuration = client.Configuration(host=sys.argv[1])
with client.ApiClient(configuration) as connection:
    custom_objects(connection)
    core(connection)
    dynamic_client(connection)
print(f"1..{count}")
sys.exit(failed > 0)
