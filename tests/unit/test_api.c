#include "api/api.c"

#include <fcntl.h>

#include "api/wire/columns.h"
#include "tests/test.h"
#include "tests/unit/api_client.h"

static void an_object_lives(void)
{
    const json_t *a = ask("POST", VMS, VM("one"));
    CHECK_INT(status, 201);
    CHECK_TEXT(says(a, "metadata.namespace"), "default");
    CHECK_TEXT(says(a, "spec.runStrategy"), "Always");
    CHECK(strlen(says(a, "metadata.uid")) == 36);
    CHECK_INT(json_int_at(a, "metadata.generation", 0), 1);
    a = ask("POST", VMS, VM("one"));
    CHECK_INT(status, 409);
    CHECK_TEXT(says(a, "reason"), "AlreadyExists");
    CHECK_TEXT(says(a, "message"), "virtualmachines.kubevirt.io \"one\" already exists");
    a = ask("GET", VMS "/one", "");
    CHECK_INT(status, 200);
    CHECK_TEXT(says(a, "metadata.name"), "one");
    auto_json *copy = json_deep_copy(a);
    json_put_at(copy, "spec.runStrategy", json_string("Halted"));
    json_put_at(copy, "status.printableStatus", json_string("Invented"));
    auto_free char *text = json_to_text(copy);
    a = ask("PUT", VMS "/one", text);
    CHECK_INT(status, 200);
    CHECK_INT(json_int_at(a, "metadata.generation", 0), 2);
    CHECK_TEXT(says(a, "status.printableStatus"), "(none)");
    a = ask("PUT", VMS "/one", text); /* its resourceVersion is old now */
    CHECK_INT(status, 409);
    CHECK_TEXT(says(a, "reason"), "Conflict");
    a = ask_with("PATCH", VMS "/one", "Content-Type: application/merge-patch+json\r\n",
                 "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}");
    CHECK_INT(status, 200);
    CHECK_TEXT(says(a, "metadata.labels.a"), "b");
    CHECK_INT(json_int_at(a, "metadata.generation", 0), 2);
    a = ask_with("PATCH", VMS "/one/status", "Content-Type: application/merge-patch+json\r\n",
                 "{\"status\":{\"printableStatus\":\"Fine\"},\"spec\":{\"runStrategy\":\"Always\"}}");
    CHECK_TEXT(says(a, "status.printableStatus"), "Fine");
    CHECK_TEXT(says(a, "spec.runStrategy"), "Halted");
    a = ask("DELETE", VMS "/one?gracePeriodSeconds=7", "");
    CHECK_INT(status, 200);
    CHECK_TEXT(asked.text, "delete VirtualMachine default/one 7 0");
    a = ask("GET", VMS "/one", "");
    CHECK_INT(status, 404);
    CHECK_TEXT(says(a, "message"), "virtualmachines.kubevirt.io \"one\" not found");
    CHECK_TEXT(says(a, "details.kind"), "virtualmachines");
}

static void a_dry_run_leaves_nothing(void)
{
    const json_t *a = ask("POST", VMS "?dryRun=All", VM("dry"));
    CHECK_INT(status, 201);
    CHECK_TEXT(says(a, "metadata.name"), "dry");
    CHECK(strstr(answer_head, "Warning: 299 - \"it cannot be placed now: no room\"") != NULL);
    CHECK(strstr(answer_head, "Warning: 299 - \"it fits with 1 vCPU\"") != NULL);
    ask("GET", VMS "/dry", "");
    CHECK_INT(status, 404);
    ask("POST", VMS "?dryRun=Some", VM("dry"));
    CHECK_INT(status, 400);
    ask("POST", MAPS "?dryRun=All", MAP("dry", ""));
    CHECK(strstr(answer_head, "Warning") == NULL);
    ask("POST", MAPS, MAP("dry", ""));
    ask("DELETE", MAPS "/dry", "{\"dryRun\":[\"All\"]}");
    CHECK_INT(status, 200);
    ask("GET", MAPS "/dry", "");
    CHECK_INT(status, 200);
    ask("DELETE", MAPS "/dry", "");
}

static void refusals_name_every_cause(void)
{
    asked.refuse = true;
    const json_t *a = ask("POST", VMS, VM("bad"));
    asked.refuse = false;
    CHECK_INT(status, 422);
    CHECK_TEXT(says(a, "reason"), "Invalid");
    CHECK_TEXT(says(a, "message"), "VirtualMachine \"bad\" is invalid: x is wrong 0, x is wrong 1");
    CHECK_TEXT(says(a, "details.causes.1.field"), "spec.x");
    asked.unknown = true;
    ask("POST", VMS, VM("odd"));
    CHECK_INT(status, 201);
    CHECK(strstr(answer_head, "Warning: 299 - \"unknown field \\\"spec.foo\\\"\"") != NULL);
    a = ask("POST", VMS "?fieldValidation=Strict", VM("odd2"));
    CHECK_INT(status, 400);
    CHECK(strstr(says(a, "message"), "strict decoding error: unknown field \"spec.foo\"") != NULL);
    ask("POST", VMS "?fieldValidation=Ignore", VM("odd2"));
    CHECK_INT(status, 201);
    CHECK(strstr(answer_head, "Warning") == NULL);
    asked.unknown = false;
    ask("DELETE", VMS "/odd", "");
    ask("DELETE", VMS "/odd2", "");
}

static void what_does_not_fit_the_path_is_refused(void)
{
    static const struct {
        const char *method, *target, *body;
        int status;
    } cases[] = {
        {"POST", VMS, "", 400},
        {"POST", VMS, "{}", 422},
        {"POST", VMS, "nonsense", 400},
        {"POST", VMS, MAP("x", ""), 400},
        {"POST", VMS "/x", VM("x"), 405},
        {"POST", "/apis/kubevirt.io/v1/virtualmachines", VM("x"), 405},
        {"POST", "/apis/kubevirt.io/v1/namespaces/missing/virtualmachines", VM("x"), 404},
        {"POST", MAPS, MAP("x", ",\"namespace\":\"other\""), 400},
        {"POST", MAPS, MAP("x", ",\"resourceVersion\":\"1\""), 400},
        {"POST", MAPS, MAP("x", ",\"labels\":{\"a\":1}"), 400},
        {"POST", MAPS, MAP("x", ",\"ownerReferences\":[{}]"), 400},
        {"POST", MAPS, MAP("X_", ""), 422},
        {"POST", MAPS, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}", 422},
        {"PUT", MAPS "/none", MAP("none", ""), 404},
        {"PUT", MAPS "/none", MAP("x", ""), 404},
        {"GET", "/apis/kubevirt.io/v7/virtualmachines", "", 404},
        {"GET", "/nowhere", "", 404},
        {"GET", "/api/v1/namespaces/default/configmaps/a/b", "", 404},
        {"DELETE", "/version", "", 405},
        {"GET", VMS "?labelSelector=a%20b", "", 400},
        {"GET", VMS "?fieldSelector=spec.x=1", "", 400},
        {"GET", VMS "?limit=x", "", 400},
        {"GET", VMS "?continue=x", "", 400},
        {"GET", VMS "?resourceVersion=999999", "", 504},
        {"GET", VMS "?watch=true&resourceVersion=999999", "", 504},
        {"GET", VMS "?watch=true&timeoutSeconds=86401", "", 400},
        {"DELETE", "/api/v1/namespaces/default", "", 403},
        {"DELETE", "/api/v1/nodes/host", "", 405},
        {"PATCH", VMS "/none", "{}", 404},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const json_t *a = ask(cases[i].method, cases[i].target, cases[i].body);
        if (status != cases[i].status || strcmp(says(a, "kind"), "Status") != 0) {
            printf("# %s %s %s is %d %s\n", cases[i].method, cases[i].target, cases[i].body, status,
                   says(a, "message"));
            test_failures++;
        }
    }
    ask_with("GET", VMS, "Accept: application/vnd.kubernetes.protobuf\r\n", "");
    CHECK_INT(status, 406);
}

static void lists_are_filtered_and_paged(void)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        auto_free char *body =
            must_format("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\","
                        "\"labels\":{\"odd\":\"%s\"}}}",
                        names[i], i % 2 ? "yes" : "no");
        ask("POST", MAPS, body);
        CHECK_INT(status, 201);
    }
    const json_t *a = ask("GET", MAPS, "");
    CHECK_TEXT(says(a, "kind"), "ConfigMapList");
    CHECK_INT(json_array_size(json_at(a, "items")), 5);
    a = ask("GET", MAPS "?labelSelector=odd%3Dyes", "");
    CHECK_INT(json_array_size(json_at(a, "items")), 2);
    a = ask("GET", "/api/v1/configmaps?fieldSelector=metadata.name%3Dc", "");
    CHECK_INT(json_array_size(json_at(a, "items")), 1);
    auto_free char *next = must_strdup(MAPS "?limit=2");
    auto_text seen = {0};
    int pages = 0;
    for (; pages < 5; pages++) {
        a = ask("GET", next, "");
        for (size_t i = 0; i < json_array_size(json_at(a, "items")); i++)
            text_append(&seen, says(json_array_get(json_at(a, "items"), i), "metadata.name"));
        const char *token = json_text_at(a, "metadata.continue", NULL);
        if (!token)
            break;
        free(next);
        next = must_format("%s?limit=2&continue=%s", MAPS, token);
    }
    CHECK_INT(pages, 2);
    CHECK_TEXT(text_cstr(&seen), "abcde");
    a = ask("DELETE", MAPS "?labelSelector=odd%3Dyes", "");
    CHECK_INT(status, 200);
    a = ask("GET", MAPS, "");
    CHECK_INT(json_array_size(json_at(a, "items")), 3);
    ask("DELETE", MAPS, "");
    a = ask("GET", MAPS, "");
    CHECK_INT(json_array_size(json_at(a, "items")), 0);
}

static void tables_are_rendered(void)
{
    ask("POST", VMS, VM("one"));
    const char *table = "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json\r\n";
    const json_t *a = ask_with("GET", VMS, table, "");
    CHECK_TEXT(says(a, "kind"), "Table");
    CHECK_TEXT(says(a, "columnDefinitions.2.name"), "Status");
    CHECK_TEXT(says(a, "rows.0.cells.0"), "one");
    CHECK_TEXT(says(a, "rows.0.cells.1"), "0s");
    CHECK_TEXT(says(a, "rows.0.object.kind"), "PartialObjectMetadata");
    a = ask_with("GET", VMS "/one?includeObject=Object", table, "");
    CHECK_TEXT(says(a, "rows.0.object.kind"), "VirtualMachine");
    a = ask_with("GET", VMS, "Accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io\r\n", "");
    CHECK_TEXT(says(a, "kind"), "PartialObjectMetadataList");
    CHECK(json_at(a, "items.0.spec") == NULL);
    a = ask("GET", "/apis/kubevirt.io/v1alpha3/namespaces/default/virtualmachines/one", "");
    CHECK_TEXT(says(a, "apiVersion"), "kubevirt.io/v1alpha3");
    CHECK(strstr(answer_head, "Warning: 299 - \"kubevirt.io/v1alpha3 is now deprecated") != NULL);
    ask("DELETE", VMS "/one", "");
}

static void server_side_apply_knows_owners(void)
{
    const char *type = "Content-Type: application/apply-patch+yaml\r\n";
    const json_t *a = ask_with("PATCH", MAPS "/own?fieldManager=one", type, MAP("own", ""));
    CHECK_INT(status, 201);
    CHECK_TEXT(says(a, "metadata.managedFields.0.operation"), "Apply");
    auto_free char *version = must_strdup(says(a, "metadata.resourceVersion"));
    a = ask_with("PATCH", MAPS "/own?fieldManager=one", type, MAP("own", ""));
    CHECK_INT(status, 200);
    CHECK_TEXT(says(a, "metadata.resourceVersion"), version);
    a = ask_with(
        "PATCH", MAPS "/own?fieldManager=two", type,
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"own\"},\"data\":{\"a\":\"2\",\"b\":\"3\"}}");
    CHECK_INT(status, 409);
    CHECK(strstr(says(a, "message"), "Apply failed with 1 conflict: conflicts with \"one\" using v1:\n- .data.a") !=
          NULL);
    CHECK_TEXT(says(a, "details.name"), "own");
    CHECK_TEXT(says(a, "details.causes.0.reason"), "FieldManagerConflict");
    CHECK_TEXT(says(a, "details.causes.0.message"), "conflict with \"one\" using v1");
    CHECK_TEXT(says(a, "details.causes.0.field"), ".data.a");
    a = ask_with(
        "PATCH", MAPS "/own?fieldManager=two&force=true", type,
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"own\"},\"data\":{\"a\":\"2\",\"b\":\"3\"}}");
    CHECK_INT(status, 200);
    CHECK_TEXT(says(a, "data.a"), "2");
    a = ask_with(
        "PATCH", MAPS "/own?fieldManager=two", type,
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"own\"},\"data\":{\"a\":\"2\"}}");
    CHECK(json_at(a, "data.b") == NULL); /* applied no more, owned by nobody else */
    ask_with("PATCH", MAPS "/own", type, MAP("own", ""));
    CHECK_INT(status, 400); /* no fieldManager */
    a = ask_with("PATCH", MAPS "/own", "Content-Type: application/strategic-merge-patch+json\r\n",
                 "{\"data\":{\"a\":\"9\"}}");
    CHECK_INT(status, 200);
    CHECK_TEXT(says(a, "metadata.managedFields.0.manager"), "tester");
    ask_with("PATCH", VMS "/own", "Content-Type: application/strategic-merge-patch+json\r\n", "{}");
    CHECK_INT(status, 404);
    ask("DELETE", MAPS "/own", "");
}

static void secrets_and_generated_names(void)
{
    const json_t *a = ask(
        "POST", "/api/v1/namespaces/default/secrets",
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"generateName\":\"s-\"},\"stringData\":{\"k\":\"pass\"}}");
    CHECK_INT(status, 201);
    CHECK_TEXT(says(a, "data.k"), "cGFzcw==");
    CHECK_TEXT(says(a, "type"), "Opaque");
    CHECK(json_at(a, "stringData") == NULL);
    CHECK_INT(strlen(says(a, "metadata.name")), 7);
    CHECK(text_starts_with(says(a, "metadata.name"), "s-"));
}

static void finalizers_hold(void)
{
    ask("POST", MAPS, MAP("held", ",\"finalizers\":[\"x/y\"]"));
    const json_t *a = ask("DELETE", MAPS "/held", "");
    CHECK_INT(status, 200);
    CHECK(json_at(a, "metadata.deletionTimestamp") != NULL);
    ask("GET", MAPS "/held", "");
    CHECK_INT(status, 200);
    ask_with("PATCH", MAPS "/held", "Content-Type: application/json-patch+json\r\n",
             "[{\"op\":\"remove\",\"path\":\"/metadata/finalizers\"}]");
    CHECK_INT(status, 200);
    ask("GET", MAPS "/held", "");
    CHECK_INT(status, 404);
    ask("POST", MAPS, MAP("pre", ""));
    ask("DELETE", MAPS "/pre", "{\"preconditions\":{\"uid\":\"wrong\"}}");
    CHECK_INT(status, 409);
    ask("DELETE", MAPS "/pre", "");
}

static void owned_objects_follow_their_owner(void)
{
    const json_t *a = ask("POST", MAPS, MAP("owner", ""));
    auto_free char *owned = must_format(
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"owned\",\"ownerReferences\":[{\"apiVersion\":"
        "\"v1\",\"kind\":\"ConfigMap\",\"name\":\"owner\",\"uid\":\"%s\"}]}}",
        says(a, "metadata.uid"));
    ask("POST", MAPS, owned);
    CHECK_INT(status, 201);
    ask("DELETE", MAPS "/owner", "");
    ask("GET", MAPS "/owned", "");
    CHECK_INT(status, 404);

    ask("POST", "/api/v1/namespaces",
        "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"space\"}}");
    CHECK_INT(status, 201);
    ask("POST", "/api/v1/namespaces/space/configmaps", MAP("inside", ""));
    CHECK_INT(status, 201);
    ask("DELETE", "/api/v1/namespaces/space", "");
    CHECK_INT(status, 200);
    ask("GET", "/api/v1/namespaces/space", "");
    CHECK_INT(status, 404);
    ask("GET", "/api/v1/namespaces/space/configmaps/inside", "");
    CHECK_INT(status, 404);
}

static void subresources_reach_the_runtime(void)
{
#define SUBS "/apis/subresources.kubevirt.io/v1/namespaces/default/"
    ask("PUT", SUBS "virtualmachines/x/stop", "{\"gracePeriod\":3}");
    CHECK_INT(status, 202);
    CHECK_TEXT(asked.text, "1 default/x {\"gracePeriod\":3}");
    ask("PUT", SUBS "virtualmachineinstances/x/pause", "");
    CHECK_INT(status, 200);
    fail(&asked.failure, ERROR_CONFLICT, "VM is already running");
    const json_t *a = ask("PUT", SUBS "virtualmachines/x/start", "{}");
    CHECK_INT(status, 409);
    CHECK_TEXT(says(a, "message"), "VM is already running");
    asked.failure.kind = ERROR_NONE;
    a = ask("GET", SUBS "virtualmachineinstances/x/guestosinfo", "");
    CHECK_TEXT(says(a, "asked"), "guestosinfo");
    fail(&asked.failure, ERROR_CONFLICT, "VMI does not have guest agent connected");
    ask("GET", SUBS "virtualmachineinstances/x/guestosinfo", "");
    CHECK_INT(status, 500); /* text, of which virtctl shows what it would hide of a Status */
    CHECK(strstr(answer_head, "Content-Type: text/plain") != NULL);
    a = ask("GET", SUBS "virtualmachineinstances/x/userlist", "");
    CHECK_INT(status, 409);
    CHECK_TEXT(says(a, "message"), "VMI does not have guest agent connected");
    asked.failure.kind = ERROR_NONE;
    ask("GET", SUBS "virtualmachines/x/start", "");
    CHECK_INT(status, 405);
    ask("PUT", SUBS "virtualmachines/x/fly", "");
    CHECK_INT(status, 404);
    a = ask("PUT", SUBS "expand-vm-spec", VM("e"));
    CHECK_INT(status, 200);
    CHECK_TEXT(says(a, "spec.runStrategy"), "Always");
}

static void what_is_not_served_is_explained(void)
{
    static const struct {
        const char *method, *path;
        int status;
        const char *says;
    } CASES[] = {
        {"PUT", SUBS "virtualmachines/x/migrate", 409, "nowhere to migrate to"},
        {"PUT", SUBS "virtualmachines/x/memorydump", 409, "virsh dump"},
        {"GET", SUBS "virtualmachineinstances/x/usbredir", 409, "redirects no USB"},
        {"GET", "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstancemigrations", 404, "no migrations"},
        {"GET", "/apis/kubevirt.io/v1/virtualmachineinstancemigrations", 404, "no migrations"},
        {"GET", "/apis/kubevirt.io/v1/kubevirts", 404, "rtvmd.yaml"},
        {"POST", "/apis/export.kubevirt.io/v1alpha1/namespaces/default/virtualmachineexports", 404,
         "files of this host"},
        {"GET", "/apis/cdi.kubevirt.io/v1beta1/namespaces/default/datavolumes/x", 404, "rtvmd image import"},
        {"GET", "/apis/subresources.kubevirt.io/v1/guestfs", 404, "guestfish"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const json_t *a = ask(CASES[i].method, CASES[i].path, "");
        CHECK_INT(status, CASES[i].status);
        CHECK(strstr(says(a, "message"), CASES[i].says) != NULL);
    }
    static const char *const OTHERS[] = {"/apis/kubevirt.io/v1/kubevirtsx", "/apis/kubevirt.iox/v1/kubevirts",
                                         "/apis/export.kubevirt.io", "/apis/none/v1/kubevirts", "/api/v1/none"};
    for (size_t i = 0; i < ARRAY_SIZE(OTHERS); i++) {
        const json_t *a = ask("GET", OTHERS[i], "");
        CHECK_INT(status, 404);
        CHECK(strchr(says(a, "message"), ':') == NULL);
    }
    const json_t *a =
        ask("POST", "/api/v1/namespaces/default/persistentvolumeclaims",
            "{\"metadata\":{\"name\":\"u\",\"annotations\":{\"cdi.kubevirt.io/storage.upload.target\":\"\"}}}");
    CHECK_INT(status, 422);
    CHECK(strstr(says(a, "message"), "rtvmd image import") != NULL);
    int fd = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    CHECK(write(fd, "P6 picture", 10) == 10);
    ask("GET", SUBS "virtualmachineinstances/x/vnc/screenshot", "");
    CHECK_INT(status, 400);
    asked.screen_fd = fd;
    ask("GET", SUBS "virtualmachineinstances/x/vnc/screenshot?moveCursor=true", "");
    CHECK_INT(status, 200);
    CHECK(strstr(answer_head, "Content-Type: image/x-portable-pixmap") != NULL);
    CHECK(pwrite(fd, "\x89PNG", 4, 0) == 4);
    ask("GET", SUBS "virtualmachineinstances/x/vnc/screenshot", "");
    CHECK(strstr(answer_head, "Content-Type: image/png") != NULL);
    asked.screen_fd = 0;
    close(fd);
    ask("GET", SUBS "virtualmachineinstances/x/vnc/other", "");
    CHECK_INT(status, 404);
    ask("GET", SUBS "virtualmachineinstances/x/vnc/screenshot/more", "");
    CHECK_INT(status, 404);
    ask("PUT", SUBS "virtualmachines/x/start/more", "");
    CHECK_INT(status, 404);
}

static void discovery_describes_it_all(void)
{
    const json_t *a = ask("GET", "/version", "");
    CHECK_TEXT(says(a, "major"), "1");
    a = ask("GET", "/api", "");
    CHECK_TEXT(says(a, "versions.0"), "v1");
    a = ask("GET", "/apis", "");
    CHECK_TEXT(says(a, "groups.0.preferredVersion.groupVersion"), "kubevirt.io/v1");
    a = ask("GET", "/apis/subresources.kubevirt.io", "");
    CHECK_TEXT(says(a, "preferredVersion.groupVersion"), "subresources.kubevirt.io/v1");
    a = ask("GET", "/apis/subresources.kubevirt.io/v1/version", "");
    CHECK(text_starts_with(says(a, "gitVersion"), "v1."));
    a = ask("GET", "/apis/kubevirt.io/v1", "");
    CHECK_TEXT(says(a, "groupVersion"), "kubevirt.io/v1");
    CHECK_TEXT(says(a, "resources.0.shortNames.0"), "vmi");
    a = ask_with("GET", "/apis", "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList\r\n",
                 "");
    CHECK_TEXT(says(a, "kind"), "APIGroupDiscoveryList");
    CHECK_TEXT(says(a, "items.0.versions.0.resources.1.subresources.0.subresource"), "status");
    ask("GET", "/apis/no.such", "");
    CHECK_INT(status, 404);
    ask("GET", "/readyz", "");
    CHECK_INT(status, 200);
    ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        "{\"kind\":\"SelfSubjectAccessReview\",\"apiVersion\":\"authorization.k8s.io/v1\"}");
    CHECK_INT(status, 201);
}

static void watches_follow(void)
{
    ask("POST", MAPS, MAP("seen", ""));
    int fd = dial();
    send_request(fd, "GET", MAPS "?watch=true", "", "");
    CHECK(strstr(hear(fd, "ADDED"), "\"name\":\"seen\"") != NULL);
    ask_with("PATCH", MAPS "/seen", "Content-Type: application/merge-patch+json\r\n", "{\"data\":{\"a\":\"2\"}}");
    CHECK(strstr(hear(fd, "MODIFIED"), "\"a\":\"2\"") != NULL);
    const json_t *a = ask("GET", MAPS "/seen", "");
    auto_free char *since =
        must_format("%s?watch=1&timeoutSeconds=1&resourceVersion=%s", MAPS, says(a, "metadata.resourceVersion"));
    ask("DELETE", MAPS "/seen", "");
    CHECK(strstr(hear(fd, "DELETED"), "\"name\":\"seen\"") != NULL);
    CHECK_INT(watches_count(api->watches), 1);
    close(fd);
    fd = dial();
    send_request(fd, "GET", since, "", ""); /* told what came after, then ends in time */
    const char *answer = hear(fd, NULL);
    CHECK(strstr(answer, "\"type\":\"DELETED\"") != NULL);
    CHECK(strstr(answer, "ADDED") == NULL);
    CHECK(strstr(answer, "0\r\n\r\n") != NULL);
    CHECK_INT(watches_count(api->watches), 0);
    close(fd);
}

/* More than a slow client may let wait (LIMIT_HTTP_STREAM_BYTES), but all of it asked for. */
static void a_watch_begins_with_a_long_list(void)
{
    enum { PIECE = 1 << 20, PIECES = LIMIT_HTTP_STREAM_BYTES / PIECE + 1 };
    auto_free char *filler = must_calloc(PIECE, 1);
    memset(filler, 'x', PIECE - 1);
    for (int i = 0; i < PIECES; i++) {
        struct error err;
        json_t *map =
            json_pack("{s:s, s:s, s:{s:s, s:s+}, s:{s:s}}", "apiVersion", "v1", "kind", "ConfigMap", "metadata",
                      "namespace", "default", "name", "long-", (char[]){(char)('a' + i), '\0'}, "data", "a", filler);
        CHECK_INT(store_create(store, map, NULL, &err), 0);
    }
    int fd = dial();
    send_request(fd, "GET", MAPS "?watch=true&timeoutSeconds=1", "", "");
    const char *answer = hear(fd, NULL);
    int told = 0;
    for (const char *at = answer; (at = strstr(at, "{\"type\":\"ADDED\"")); at++)
        told += 1;
    CHECK_INT(told, PIECES);
    CHECK(text_ends_with(answer, "0\r\n\r\n"));
    close(fd);
    ask("DELETE", MAPS, "");
}

static void watches_filter(void)
{
    int fd = dial();
    send_request(fd, "GET", MAPS "?watch=true&labelSelector=on%3Dyes", "", "");
    hear(fd, "\r\n\r\n");
    ask("POST", MAPS, MAP("lab", ""));
    ask_with("PATCH", MAPS "/lab", "Content-Type: application/merge-patch+json\r\n",
             "{\"metadata\":{\"labels\":{\"on\":\"yes\"}}}");
    CHECK(strstr(hear(fd, "\"type\""), "ADDED") != NULL);
    ask_with("PATCH", MAPS "/lab", "Content-Type: application/merge-patch+json\r\n",
             "{\"metadata\":{\"labels\":{\"on\":\"no\"}}}");
    CHECK(strstr(hear(fd, "\"type\""), "DELETED") != NULL);
    ask("DELETE", MAPS "/lab", "");
    close(fd);

    fd = dial();
    send_request(
        fd, "GET",
        "/api/v1/nodes?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
        "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n", "");
    const char *answer = hear(fd, "initial-events-end");
    CHECK(strstr(answer, "\"Ready\"") != NULL);
    CHECK(strstr(answer, "BOOKMARK") != NULL);
    CHECK(strstr(answer, "k8s.io/initial-events-end") != NULL);
    close(fd);
}

static void old_versions_are_gone(void)
{
    ask("POST", MAPS, MAP("busy", ""));
    for (unsigned i = 0; i < LIMIT_CHANGE_LOG; i++) {
        struct error err;
        auto_json *object = store_get(store, "ConfigMap", "default", "busy");
        json_t *next = json_deep_copy(object);
        json_put_at(next, "data.n", json_sprintf("%u", i));
        CHECK_INT(store_update(store, next, false, NULL, &err), 0);
    }
    ask("GET", MAPS "/busy", "");
    int fd = dial();
    send_request(fd, "GET", MAPS "?watch=true&resourceVersion=2", "", "");
    const char *answer = hear(fd, NULL);
    CHECK(strstr(answer, "\"type\":\"ERROR\"") != NULL);
    CHECK(strstr(answer, "\"code\":410") != NULL);
    close(fd);
    const json_t *a = ask("GET", MAPS "?limit=1&continue=2.default/a", "");
    CHECK_INT(status, 410);
    CHECK_TEXT(says(a, "reason"), "Expired");
}

static void host_changes_are_shown(void)
{
    const json_t *list = ask("GET", "/apis/rtvmd.io/v1alpha1/hostchanges", "");
    CHECK_TEXT(json_text_at(list, "kind", ""), "HostChangeList");
    CHECK_INT(json_array_size(json_at(list, "items")), 1);
    const json_t *one = ask("GET", "/apis/rtvmd.io/v1alpha1/hostchanges/statistics-1", "");
    CHECK_TEXT(json_text_at(one, "status.state", ""), "Applied");
    auto_json *kept = json_deep_copy(one);
    auto_free char *owner = column_change_owner(kept);
    CHECK_TEXT(owner, "default/x");
    ask("GET", "/apis/rtvmd.io/v1alpha1/hostchanges/statistics-2", "");
    CHECK_INT(status, 404);
    ask("PATCH", "/apis/rtvmd.io/v1alpha1/hostchanges/statistics-1", "");
    CHECK_INT(status, 405);
    ask("DELETE", "/apis/rtvmd.io/v1alpha1/hostchanges/statistics-2", "");
    CHECK_INT(status, 404);
    asked.text[0] = '\0';
    ask("DELETE", "/apis/rtvmd.io/v1alpha1/hostchanges/statistics-1?dryRun=All", "");
    CHECK_INT(status, 200);
    CHECK_TEXT(asked.text, "");
    ask("DELETE", "/apis/rtvmd.io/v1alpha1/hostchanges/statistics-1", "");
    CHECK_INT(status, 200);
    CHECK_TEXT(asked.text, "undo statistics-1");
    ask_with("GET", "/apis/rtvmd.io/v1alpha1/hostchanges", "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n",
             "");
    CHECK(strstr(text_cstr(&heard), "[\"statistics-1\",\"/sys/x\",\"default/x\",\"1\",\"10\",\"10\",\"Applied\""));
}

static void placements_are_proven(void)
{
    const json_t *a = ask("GET", "/apis/rtvmd.io/v1alpha1/namespaces/default/placements/x/verify?repair=true", "");
    CHECK_INT(status, 200);
    CHECK(json_bool_at(a, "repair", false));
    ask("GET", "/apis/rtvmd.io/v1alpha1/namespaces/default/placements/x", "");
    CHECK_INT(status, 404);
}

/* What is answered is a file that restores to the objects there are. */
static void backs_up_over_the_api(void)
{
    ask("POST", MAPS, MAP("kept", ""));
    CHECK_INT(status, 201);
    ask("GET", BACKUP_PATH, "");
    CHECK_INT(status, 200);
    CHECK(strstr(answer_head, "application/vnd.sqlite3") != NULL);
    const char *body = heard.data + strlen(answer_head) + 4;
    size_t length = heard.length - strlen(answer_head) - 4;
    auto_free char *file = must_format("%s/copy", folder);
    auto_free char *other = must_format("%s/other", folder);
    auto_free char *part = must_format("%s/rtvmd.db.backup", store_dir(store));
    struct error err = {0};
    struct store_restored restored = {0};
    CHECK_INT(file_write_atomic(file, body, length, 0600, &err), 0);
    CHECK_INT(store_restore(other, file, &restored, &err), 0);
    CHECK_TEXT(err.text, "");
    struct store *copy = store_open(other, NULL, &err);
    CHECK(copy != NULL);
    auto_json *object = store_get(copy, "ConfigMap", "default", "kept");
    CHECK(object != NULL);
    store_close(copy);
    CHECK(access(part, F_OK) < 0);
    ask("POST", BACKUP_PATH, "{}");
    CHECK_INT(status, 405);
    ask("DELETE", MAPS "/kept", "");
}

/* The page as text; its head is in answer_head. */
static const char *scrape(const char *method)
{
    int fd = dial();
    send_request(fd, method, "/metrics", "Accept-Encoding: gzip\r\n", "");
    const char *bytes = hear(fd, NULL);
    close(fd);
    const char *end = strstr(bytes, "\r\n\r\n");
    snprintf(answer_head, sizeof answer_head, "%.*s", end ? (int)(end - bytes) : 0, bytes);
    return end ? end + 4 : "";
}

static void metrics_are_shown(void)
{
    static const char *const LINES[] = {
        "kubevirt_vmi_vcpu_seconds_total{node=\"host\",namespace=\"default\",name=\"one\",id=\"1\",state=\"RUNNING\"} "
        "1.5\n",
        "kubevirt_vmi_cpu_usage_seconds_total{node=\"host\",namespace=\"default\",name=\"one\"} 2.000000001\n",
        "kubevirt_vmi_storage_read_traffic_bytes_total{node=\"host\",namespace=\"default\",name=\"one\",drive=\"vda\"} "
        "4096\n",
        "kubevirt_vmi_network_transmit_bytes_total{node=\"host\",namespace=\"default\",name=\"one\",interface=\"vnet0\"} "
        "99\n",
        "kubevirt_vmi_memory_domain_bytes{node=\"host\",namespace=\"default\",name=\"one\"} 1048576\n",
        "rtvmd_hypervisor_up 1\n",
        "rtvmd_cpus{node=\"host\",use=\"exclusive\"} 1\n",
        "rtvmd_hugepages{numa_node=\"0\",page_bytes=\"2097152\",state=\"free\"} 5\n",
        "rtvmd_steps_total{step=\"start\"} 3\n",
        "rtvmd_drifts_total 2\n",
        "rtvmd_api_requests_total{group=\"kubevirt.io\",resource=\"virtualmachines\",verb=\"create\",code=\"201\"} ",
        "rtvmd_api_requests_total{group=\"kubevirt.io\",resource=\"virtualmachines\",verb=\"create\",code=\"409\"} ",
        "rtvmd_api_request_duration_seconds_bucket{group=\"\",resource=\"configmaps\",verb=\"list\",le=\"+Inf\"} ",
        "rtvmd_store_commit_duration_seconds_count ",
        "kubevirt_vm_resource_requests{name=\"wanting\",namespace=\"default\",resource=\"cpu\",unit=\"cores\","
        "source=\"requests\"} 1.5\n",
        "kubevirt_vm_resource_requests{name=\"wanting\",namespace=\"default\",resource=\"cpu\",unit=\"cores\","
        "source=\"guest_effective\"} 2\n",
        "kubevirt_vm_resource_requests{name=\"wanting\",namespace=\"default\",resource=\"memory\",unit=\"bytes\","
        "source=\"guest_effective\"} 67108864\n",
        "kubevirt_vm_resource_limits{name=\"wanting\",namespace=\"default\",resource=\"memory\",unit=\"bytes\"} "
        "134217728\n",
        "kubevirt_vm_vnic_info{name=\"wanting\",namespace=\"default\",vnic_name=\"net\",binding_type=\"core\","
        "network=\"pod networking\",binding_name=\"masquerade\",model=\"virtio\"} 1\n",
        "kubevirt_vm_running_status_last_transition_timestamp_seconds{name=\"wanting\",namespace=\"default\"} 0\n",
        "kubevirt_vm_create_date_timestamp_seconds{name=\"wanting\",namespace=\"default\"} 1",
    };
    ask("POST", VMS, VM("counted"));
    CHECK_INT(status, 201);
    ask("POST", VMS,
        "{\"apiVersion\":\"kubevirt.io/v1\",\"kind\":\"VirtualMachine\",\"metadata\":{\"name\":\"wanting\"},"
        "\"spec\":{\"runStrategy\":\"Halted\",\"template\":{\"spec\":{\"domain\":{\"resources\":{\"requests\":"
        "{\"cpu\":\"1500m\",\"memory\":\"64Mi\"},\"limits\":{\"cpu\":2,\"memory\":\"128Mi\"}},\"devices\":{"
        "\"interfaces\":[{\"name\":\"net\",\"model\":\"virtio\",\"masquerade\":{}}]}},"
        "\"networks\":[{\"name\":\"net\",\"pod\":{}}]}}}}");
    CHECK_INT(status, 201);
    const char *page = scrape("GET");
    CHECK(strstr(answer_head, "200 OK") != NULL);
    CHECK(strstr(answer_head, "Content-Type: text/plain; version=0.0.4; charset=utf-8") != NULL);
    for (size_t i = 0; i < ARRAY_SIZE(LINES); i++)
        if (!strstr(page, LINES[i])) {
            printf("# missing: %s\n", LINES[i]);
            test_failures++;
        }
    CHECK(!strstr(page, "kubevirt_vmi_memory_unused_bytes{")); /* nobody said */
    CHECK(!strstr(page, "kubevirt_vmi_storage_write_traffic_bytes_total{"));
    CHECK_TEXT(scrape("HEAD"), "");
    CHECK(strstr(answer_head, "200 OK") != NULL);
    ask("POST", "/metrics", "{}");
    CHECK_INT(status, 405);
    fake_is_silent = true; /* what is known without libvirt is still shown */
    page = scrape("GET");
    CHECK(strstr(page, "rtvmd_hypervisor_up 0\n") != NULL);
    CHECK(strstr(page, "kubevirt_number_of_vms{namespace=\"default\"} ") != NULL);
    CHECK(!strstr(page, "kubevirt_vmi_vcpu_seconds_total"));
    fake_is_silent = false;
    ask("DELETE", VMS "/counted", "");
    ask("DELETE", VMS "/wanting", "");
}

int main(void)
{
    if (!api_begin())
        return 1;
    RUN(an_object_lives);
    RUN(a_dry_run_leaves_nothing);
    RUN(refusals_name_every_cause);
    RUN(what_does_not_fit_the_path_is_refused);
    RUN(lists_are_filtered_and_paged);
    RUN(tables_are_rendered);
    RUN(server_side_apply_knows_owners);
    RUN(secrets_and_generated_names);
    RUN(finalizers_hold);
    RUN(owned_objects_follow_their_owner);
    RUN(subresources_reach_the_runtime);
    RUN(what_is_not_served_is_explained);
    RUN(discovery_describes_it_all);
    RUN(watches_follow);
    RUN(a_watch_begins_with_a_long_list);
    RUN(watches_filter);
    RUN(old_versions_are_gone);
    RUN(host_changes_are_shown);
    RUN(placements_are_proven);
    RUN(backs_up_over_the_api);
    RUN(metrics_are_shown);
    api_end();
    return test_end();
}
