/* What a client that knows a real API server takes for granted and nobody writes down in a manifest. */
#include "api/api.c"

#include "tests/test.h"
#include "tests/unit/api_client.h"

#define MERGE "Content-Type: application/merge-patch+json\r\n"
#define APPLY "Content-Type: application/apply-patch+yaml\r\n"

static void all_namespaces_are_only_looked_at(void)
{
    ask("POST", MAPS, MAP("kept", ""));
    ask("GET", "/api/v1/configmaps", "");
    CHECK_INT(status, 200);
    ask("DELETE", "/api/v1/configmaps", "");
    CHECK_INT(status, 405);
    ask("GET", MAPS "/kept", "");
    CHECK_INT(status, 200);
    ask("DELETE", MAPS, "");
    CHECK_INT(status, 200);
    ask("GET", MAPS "/kept", "");
    CHECK_INT(status, 404);
}

static void nobody_acts_as_somebody_else(void)
{
    const json_t *a = ask_with("GET", MAPS, "Impersonate-User: bob\r\n", "");
    CHECK_INT(status, 403);
    CHECK(strstr(says(a, "message"), "Impersonate-User: bob: nobody acts as somebody else here") != NULL);
    ask_with("GET", MAPS, "Impersonate-Group: system:masters\r\n", "");
    CHECK_INT(status, 403);
}

static void the_path_names_the_object(void)
{
    ask_with("PATCH", MAPS "/path?fieldManager=m", APPLY, MAP("other", ""));
    CHECK_INT(status, 400);
    const json_t *a = ask_with("PATCH", MAPS "/path?fieldManager=m", APPLY, "{\"data\":{\"a\":\"1\"}}");
    CHECK_INT(status, 201);
    CHECK_TEXT(says(a, "metadata.name"), "path");
    ask("DELETE", MAPS "/path", "");
    a = ask("POST", MAPS, MAP("Not_a_name", ""));
    CHECK_INT(status, 422);
    CHECK(strstr(says(a, "message"), "metadata.name: Invalid value: \"Not_a_name\": a lowercase RFC 1123") != NULL);
}

static void an_empty_object_is_nobodys_content(void)
{
#define NESTED(devices)                                                                                         \
    "{\"apiVersion\":\"kubevirt.io/v1\",\"kind\":\"VirtualMachine\",\"metadata\":{\"name\":\"ssa\"},\"spec\":{" \
    "\"template\":{\"spec\":{\"domain\":{\"devices\":" devices "}}}}}"
    const json_t *a = ask_with("PATCH", VMS "/ssa?fieldManager=one", APPLY, NESTED("{}"));
    CHECK_INT(status, 201);
    a = ask_with("PATCH", VMS "/ssa?fieldManager=two", APPLY, NESTED("{\"disks\":[{\"name\":\"a\"}]}"));
    CHECK_INT(status, 200); /* filling what is empty takes nothing from anybody */
    a = ask_with("PATCH", VMS "/ssa?fieldManager=one", APPLY, NESTED("{}"));
    CHECK_INT(status, 200);
    CHECK_TEXT(says(a, "spec.template.spec.domain.devices.disks.0.name"), "a");
    a = ask_with("PATCH", VMS "/ssa?fieldManager=one", APPLY, NESTED("null"));
    CHECK_INT(status, 200);
    CHECK_TEXT(says(a, "spec.template.spec.domain.devices.disks.0.name"), "a");
    a = ask_with("PATCH", VMS "/ssa?fieldManager=one", APPLY, NESTED("{\"disks\":[{\"name\":\"b\"}]}"));
    CHECK_INT(status, 409); /* a list is one value */
    a = ask_with("PATCH", VMS "/ssa?fieldManager=two", APPLY, NESTED("{}"));
    CHECK_INT(status, 200); /* its owner wants no disks any more */
    CHECK(json_at(a, "spec.template.spec.domain.devices.disks") == NULL);
    CHECK(json_is_object(json_at(a, "spec.template.spec.domain.devices")));
    ask("DELETE", VMS "/ssa", "");
}

static void a_dry_run_makes_no_version(void)
{
    const json_t *a = ask("POST", MAPS "?dryRun=All", MAP("dry", ""));
    CHECK_INT(status, 201);
    CHECK(json_at(a, "metadata.resourceVersion") == NULL);
    a = ask("POST", MAPS, MAP("dry", ""));
    auto_free char *version = must_strdup(says(a, "metadata.resourceVersion"));
    a = ask_with("PATCH", MAPS "/dry?dryRun=All", MERGE, "{\"data\":{\"a\":\"2\"}}");
    CHECK_TEXT(says(a, "data.a"), "2");
    CHECK_TEXT(says(a, "metadata.resourceVersion"), version);
    a = ask("GET", MAPS "/dry", "");
    CHECK_TEXT(says(a, "data.a"), "1");
    ask("DELETE", MAPS "/dry", "");
}

static void on_its_way_out_nothing_new_holds_it(void)
{
    ask("POST", MAPS, MAP("held", ",\"finalizers\":[\"a.io/b\"]"));
    ask("DELETE", MAPS "/held", "");
    const json_t *a = ask_with("PATCH", MAPS "/held", MERGE, "{\"metadata\":{\"finalizers\":[\"a.io/b\",\"a.io/c\"]}}");
    CHECK_INT(status, 422);
    CHECK(strstr(says(a, "message"), "no new finalizers can be added if the object is being deleted") != NULL);
    ask_with("PATCH", MAPS "/held", MERGE, "{\"metadata\":{\"finalizers\":null}}");
    CHECK_INT(status, 200);
    ask("GET", MAPS "/held", "");
    CHECK_INT(status, 404);
}

static void immutable_is_immutable(void)
{
    ask("POST", MAPS, MAP("fixed", ""));
    ask_with("PATCH", MAPS "/fixed", MERGE, "{\"immutable\":true}");
    CHECK_INT(status, 200);
    const json_t *a = ask_with("PATCH", MAPS "/fixed", MERGE, "{\"data\":{\"a\":\"2\"}}");
    CHECK_INT(status, 422);
    CHECK_TEXT(says(a, "message"),
               "ConfigMap \"fixed\" is invalid: data: Forbidden: field is immutable when `immutable` is set");
    ask_with("PATCH", MAPS "/fixed", MERGE, "{\"immutable\":false}");
    CHECK_INT(status, 422);
    ask_with("PATCH", MAPS "/fixed", MERGE, "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}");
    CHECK_INT(status, 200);
    ask("DELETE", MAPS "/fixed", "");
    CHECK_INT(status, 200);
#define SECRETS "/api/v1/namespaces/default/secrets"
    ask("POST", SECRETS, "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"typed\"},\"stringData\":{\"a\":\"b\"}}");
    CHECK_INT(status, 201);
    ask_with("PATCH", SECRETS "/typed", MERGE, "{\"type\":\"other\"}");
    CHECK_INT(status, 422);
    ask_with("PATCH", SECRETS "/typed", MERGE, "{\"stringData\":{\"a\":\"c\"}}");
    CHECK_INT(status, 200);
    ask("DELETE", SECRETS "/typed", "");
}

static void list_options_must_go_together(void)
{
    static const char *const WRONG[] = {
        "?resourceVersionMatch=Exact",
        "?resourceVersion=0&resourceVersionMatch=Exact",
        "?resourceVersion=1&resourceVersionMatch=Sometimes",
        "?resourceVersion=1&resourceVersionMatch=NotOlderThan&limit=1&continue=1.default/a",
        "?sendInitialEvents=true",
        "?watch=true&sendInitialEvents=true",
        "?watch=true&resourceVersionMatch=NotOlderThan",
    };
    for (size_t i = 0; i < ARRAY_SIZE(WRONG); i++) {
        auto_free char *target = must_format("%s%s", MAPS, WRONG[i]);
        const json_t *a = ask("GET", target, "");
        CHECK_INT(status, 422);
        CHECK(strstr(says(a, "message"), "ListOptions.meta.k8s.io \"\" is invalid: ") != NULL);
    }
    ask("GET", MAPS "?resourceVersion=0&resourceVersionMatch=NotOlderThan", "");
    CHECK_INT(status, 200);
}

#define PLACEMENTS "/apis/rtvmd.io/v1alpha1/namespaces/default/placements"

/* kubectl get -w: lists, then watches from there. Returns what a second of watching tells. */
static const char *watched_since(const char *version)
{
    auto_free char *target = must_format("%s?watch=true&timeoutSeconds=1&resourceVersion=%s", PLACEMENTS, version);
    int fd = dial();
    send_request(fd, "GET", target, "", "");
    const char *told = hear(fd, NULL);
    close(fd);
    return told;
}

static void what_is_made_is_not_told_twice(void)
{
#define VMIS "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances"
    ask("POST", VMIS, "{\"kind\":\"VirtualMachineInstance\",\"metadata\":{\"name\":\"gone\"},\"spec\":{}}");
    CHECK_INT(status, 201);
    int fd = dial();
    send_request(fd, "GET", VMIS "?watch=True&timeoutSeconds=1", "", ""); /* as the Python client says it */
    CHECK(strstr(hear(fd, NULL), "\"type\":\"ADDED\"") != NULL);
    close(fd);
    fake_placements =
        json_pack("[{s:s, s:s, s:{s:s, s:s, s:s}}]", "kind", "Placement", "apiVersion", "rtvmd.io/v1alpha1", "metadata",
                  "name", "stays", "namespace", "default", "resourceVersion", "1");
    const json_t *a = ask("GET", PLACEMENTS, "");
    auto_free char *version = must_strdup(says(a, "metadata.resourceVersion"));
    const char *told = watched_since(version);
    CHECK(strstr(told, "200 OK") != NULL);
    CHECK(strstr(told, "\"type\"") == NULL);
    ask("DELETE", VMIS "/gone", "");
    json_put_at(json_array_get(fake_placements, 0), "metadata.resourceVersion",
                json_sprintf("%llu", (unsigned long long)store_version(store)));
    told = watched_since(version);
    CHECK(strstr(told, "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Placement\"") != NULL);
    CHECK(strstr(told, "\"type\":\"DELETED\"") != NULL && strstr(told, "\"name\":\"gone\"") != NULL);
    CHECK(strstr(told, "ADDED") == NULL);
    json_decref(take(fake_placements));
}

static void openapi_documents_are_kept_by_their_hash(void)
{
    const json_t *a = ask("GET", "/openapi/v3", "");
    const json_t *entry = json_object_get(json_object_get(a, "paths"), "apis/rtvmd.io/v1alpha1");
    auto_free char *url = must_strdup(says(entry, "serverRelativeURL"));
    const char *hash = strstr(url, "?hash=") + strlen("?hash=");
    CHECK_INT(strlen(hash), 64);
    a = ask("GET", url, "");
    CHECK_INT(status, 200);
    CHECK(json_object_get(json_at(a, "components.schemas"), "io.rtvmd.v1alpha1.Placement") != NULL);
    auto_free char *tag = must_format("ETag: \"%s\"", hash);
    CHECK(strstr(answer_head, tag) != NULL);
    CHECK(strstr(answer_head, "Cache-Control: public, immutable") != NULL);
    auto_free char *known = must_format("If-None-Match: \"%s\"\r\n", hash);
    CHECK(ask_with("GET", "/openapi/v3/apis/rtvmd.io/v1alpha1", known, "") == NULL);
    CHECK_INT(status, 304);
    ask_with("GET", "/openapi/v3/apis/rtvmd.io/v1alpha1/", "If-None-Match: \"x\"\r\n", "");
    CHECK_INT(status, 200);
    CHECK(strstr(answer_head, "Cache-Control: no-cache") != NULL);
    ask_with("GET", "/openapi/v2", "Accept: application/com.github.proto-openapi.spec.v2@v1.0+protobuf\r\n", "");
    CHECK_INT(status, 200);
    const char *v2 = strstr(answer_head, "ETag: ");
    CHECK(v2 != NULL && strstr(v2, "-pb\"\r\n") != NULL);
    auto_free char *known_v2 =
        must_format("Accept: application/com.github.proto-openapi.spec.v2@v1.0+protobuf\r\nIf-None-Match: %.*s\r\n",
                    v2 ? (int)strcspn(v2 + strlen("ETag: "), "\r") : 0, v2 ? v2 + strlen("ETag: ") : "");
    ask_with("GET", "/openapi/v2", known_v2, "");
    CHECK_INT(status, 304);
    ask("GET", "/openapi/v3/apis/nobody.io/v1", "");
    CHECK_INT(status, 404);
}

int main(void)
{
    if (!api_begin())
        return 1;
    RUN(all_namespaces_are_only_looked_at);
    RUN(nobody_acts_as_somebody_else);
    RUN(the_path_names_the_object);
    RUN(an_empty_object_is_nobodys_content);
    RUN(a_dry_run_makes_no_version);
    RUN(on_its_way_out_nothing_new_holds_it);
    RUN(immutable_is_immutable);
    RUN(list_options_must_go_together);
    RUN(what_is_made_is_not_told_twice);
    RUN(openapi_documents_are_kept_by_their_hash);
    api_end();
    return test_end();
}
