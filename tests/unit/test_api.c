#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.c"
#include "api/columns.h"
#include "api/frames.h"
#include "rtvmd/base/file.h"
#include "tests/test.h"
#include "tests/unit/fake_runtime.h"

static struct loop *loop;
static struct store *store;
static struct api *api;
static char folder[] = "/tmp/rtvmd-api-XXXXXX";
static char path[64];

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        perror("connect");
    return fd;
}

/* Turns the loop until the text was heard or the other end closed. */
static struct text heard;

static const char *hear(int fd, const char *until)
{
    text_clear(&heard);
    uint64_t end = now_monotonic_ms() + 3000;
    while (now_monotonic_ms() < end) {
        loop_run_once(loop, false);
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0)
            break;
        if (n > 0)
            text_append_n(&heard, chunk, (size_t)n);
        else
            usleep(100);
        if (until && memmem(text_cstr(&heard), heard.length, until, strlen(until)))
            break;
    }
    return text_cstr(&heard);
}

static void send_request(int fd, const char *method, const char *target, const char *headers, const char *body)
{
    auto_text request = {0};
    text_printf(&request,
                "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: tester/1\r\n%sContent-Length: "
                "%zu\r\n\r\n%s",
                method, target, headers, strlen(body), body);
    CHECK(write(fd, request.data, request.length) == (ssize_t)request.length);
}

static int status;
static char answer_head[4096];

/* The JSON body of the answer; its status is in `status`. Valid until the next call. */
static json_t *ask_with(const char *method, const char *target, const char *headers, const char *body)
{
    static json_t *answer;
    int fd = dial();
    send_request(fd, method, target, headers, body);
    const char *bytes = hear(fd, NULL);
    close(fd);
    status = strlen(bytes) > 12 ? (int)strtol(bytes + 9, NULL, 10) : 0;
    const char *end = strstr(bytes, "\r\n\r\n");
    snprintf(answer_head, sizeof answer_head, "%.*s", end ? (int)(end - bytes) : 0, bytes);
    json_decref(answer);
    struct error err;
    answer = end && end[4] ? json_from_text(end + 4, strlen(end + 4), &err) : NULL;
    return answer;
}

static json_t *ask(const char *method, const char *target, const char *body)
{
    return ask_with(method, target, "", body);
}

static const char *says(const json_t *answer, const char *at)
{
    return json_text_at(answer, at, "(none)");
}

#define VMS "/apis/kubevirt.io/v1/namespaces/default/virtualmachines"
#define VM(name)                                                                                    \
    "{\"apiVersion\":\"kubevirt.io/v1\",\"kind\":\"VirtualMachine\",\"metadata\":{\"name\":\"" name \
    "\"},\"spec\":{\"template\":{}}}"
#define MAPS "/api/v1/namespaces/default/configmaps"
#define MAP(name, more) \
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" name "\"" more "},\"data\":{\"a\":\"1\"}}"

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
    ask("GET", SUBS "virtualmachines/x/start", "");
    CHECK_INT(status, 405);
    ask("PUT", SUBS "virtualmachines/x/fly", "");
    CHECK_INT(status, 404);
    a = ask("PUT", SUBS "expand-vm-spec", VM("e"));
    CHECK_INT(status, 200);
    CHECK_TEXT(says(a, "spec.runStrategy"), "Always");
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
    send_request(fd, "GET", "/api/v1/nodes?watch=true&allowWatchBookmarks=true&sendInitialEvents=true",
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
}

/* ---- web sockets: the test plays the device, too */

#define CONSOLE "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/x/console"
static int device_listener = -1;

static int device_accept(void)
{
    int fd = -1;
    for (int i = 0; i < 1000 && fd < 0; i++) {
        loop_run_once(loop, false);
        fd = accept4(device_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            usleep(1000);
    }
    return fd;
}

static int upgrade(const char *target)
{
    int fd = dial();
    auto_free char *request = must_format(
        "GET %s HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
        "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: plain.kubevirt.io\r\n\r\n",
        target);
    CHECK(write(fd, request, strlen(request)) == (ssize_t)strlen(request));
    return fd;
}

static void say_frame(int fd, enum frame_kind kind, const char *bytes)
{
    auto_text frame = {0};
    if (kind == FRAME_CLOSE)
        frame_write_close(true, 1000, &frame);
    else
        frame_write(kind, true, bytes, strlen(bytes), &frame);
    CHECK(write(fd, frame.data, frame.length) == (ssize_t)frame.length);
}

static void turn(unsigned ms)
{
    uint64_t end = now_monotonic_ms() + ms;
    do {
        loop_run_once(loop, false);
        usleep(200);
    } while (now_monotonic_ms() < end);
}

static void consoles_carry_bytes(void)
{
    asked.socket = NULL;
    const json_t *a = ask("GET", CONSOLE, "");
    CHECK_INT(status, 400);
    CHECK_TEXT(says(a, "message"), "VMI is not running");
    static char device[80];
    snprintf(device, sizeof device, "%s/serial0", folder);
    asked.socket = device;
    a = ask("GET", CONSOLE, "");
    CHECK_INT(status, 400);
    CHECK(strstr(says(a, "message"), "web socket") != NULL);
    int fd = upgrade(CONSOLE); /* nobody listens there */
    CHECK(strstr(hear(fd, "}"), "HTTP/1.1 500 ") != NULL);
    close(fd);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", device);
    device_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(device_listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(device_listener, 8), 0);
    fd = upgrade(CONSOLE);
    int guest = device_accept();
    const char *answer = hear(fd, "\r\n\r\n");
    CHECK(strstr(answer, "HTTP/1.1 101 ") == answer);
    CHECK(strstr(answer, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != NULL);
    CHECK(strstr(answer, "Sec-WebSocket-Protocol: plain.kubevirt.io\r\n") != NULL);
    say_frame(fd, FRAME_DATA, "login");
    CHECK_TEXT(hear(guest, "login"), "login");
    CHECK(write(guest, "hello", 5) == 5);
    CHECK_TEXT(hear(fd, "hello"), "\x82\x05hello");
    say_frame(fd, FRAME_PING, "p");
    CHECK_TEXT(hear(fd, "p"), "\x8a\x01p");

    int second = upgrade(CONSOLE); /* ends the first one, without a word */
    int guest2 = device_accept();
    hear(second, "\r\n\r\n");
    CHECK_TEXT(hear(fd, NULL), "");
    close(fd);
    close(guest);
    ask("GET", CONSOLE "?preserveSession=true", "");
    CHECK_INT(status, 503);
    CHECK(write(guest2, "last", 4) == 4);
    close(guest2);
    CHECK_TEXT(hear(second, "\xe8"), "\x82\x04last\x88\x02\x03\xe8"); /* 1000: a normal end */
    close(second);
    turn(5);
    CHECK_INT(tunnels_count(api->tunnels), 0);
}

#define SCREEN "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/x/vnc"

/* A datagram for a message and a message for a datagram, whatever pieces they come in. */
static void ports_carry_datagrams(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int guest = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(guest, (struct sockaddr *)&address, size), 0);
    getsockname(guest, (struct sockaddr *)&address, &size);
    struct error err;
    json_t *vmi = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:[{s:s}]}}", "kind", "VirtualMachineInstance",
                            "apiVersion", "kubevirt.io/v1", "metadata", "name", "u", "namespace", "default", "status",
                            "phase", "Running", "interfaces", "ipAddress", "127.0.0.1");
    CHECK_INT(store_create(store, vmi, NULL, &err), 0);
    auto_free char *target =
        must_format("/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/u/portforward/%u/udp",
                    ntohs(address.sin_port));
    int fd = upgrade(target);
    CHECK(strstr(hear(fd, "\r\n\r\n"), "HTTP/1.1 101 ") != NULL);
    auto_text two = {0};
    frame_write(FRAME_DATA, true, "one", 3, &two);
    frame_write(FRAME_DATA, true, "", 0, &two);
    frame_write(FRAME_DATA, true, "three", 5, &two);
    two.data[two.length - 11] = 0x02; /* not the last piece of its message */
    frame_write(FRAME_DATA, true, "four", 4, &two);
    two.data[two.length - 10] = (char)0x80; /* the rest of it */
    CHECK(write(fd, two.data, two.length) == (ssize_t)two.length);
    turn(20);
    char bytes[64];
    struct sockaddr_in from;
    size = sizeof from;
    CHECK_INT(recvfrom(guest, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size), 3);
    CHECK_INT(recv(guest, bytes, sizeof bytes, 0), 0);
    CHECK_INT(recv(guest, bytes, sizeof bytes, 0), 9);
    CHECK(memcmp(bytes, "threefour", 9) == 0);
    CHECK_INT(sendto(guest, "a", 1, 0, (struct sockaddr *)&from, size), 1);
    CHECK_INT(sendto(guest, "bc", 2, 0, (struct sockaddr *)&from, size), 2);
    const char *heard_bytes = hear(fd, "bc");
    CHECK(memcmp(heard_bytes,
                 "\x82\x01"
                 "a\x82\x02"
                 "bc",
                 7) == 0);
    auto_text huge = {0}; /* more than a datagram may be: dropped, and the next one goes through */
    auto_free char *much = must_calloc(LIMIT_DATAGRAM_BYTES + 1, 1);
    frame_write(FRAME_DATA, true, much, LIMIT_DATAGRAM_BYTES + 1, &huge);
    frame_write(FRAME_DATA, true, "after", 5, &huge);
    size_t sent = 0;
    for (int i = 0; i < 1000 && sent < huge.length; i++) {
        ssize_t n = write(fd, huge.data + sent, huge.length - sent);
        sent += n > 0 ? (size_t)n : 0;
        turn(1);
    }
    CHECK_INT(sent, huge.length);
    turn(20);
    CHECK_INT(recv(guest, bytes, sizeof bytes, 0), 5);
    CHECK_INT(tunnels_count(api->tunnels), 1);
    say_frame(fd, FRAME_CLOSE, "");
    hear(fd, NULL);
    close(fd);
    turn(20);
    CHECK_INT(tunnels_count(api->tunnels), 0);
    close(guest);
    ask("GET", "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/u/portforward/1/sctp", "");
    CHECK_INT(status, 400);
    CHECK_INT(store_delete(store, "VirtualMachineInstance", "default", "u", NULL, &err), 0);
}

static void screens_come_open(void)
{
    const json_t *a = ask("GET", SCREEN, "");
    CHECK_INT(status, 400);
    CHECK(strstr(says(a, "message"), "web socket") != NULL);
    int fd = upgrade(SCREEN);
    CHECK(strstr(hear(fd, "}"), "No graphics devices are present.") != NULL);
    close(fd);

    int ends[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    asked.screen_fd = ends[0]; /* the runtime gives a copy away */
    CHECK(write(ends[1], "RFB 003.008\n", 12) == 12);
    fd = upgrade(SCREEN);
    hear(fd, "RFB 003.008\n");
    CHECK(strstr(heard.data, "HTTP/1.1 101 ") == heard.data);
    say_frame(fd, FRAME_DATA, "RFB 003.008\n");
    CHECK_TEXT(hear(ends[1], "\n"), "RFB 003.008\n");
    ask("GET", SCREEN "?preserveSession=true", "");
    CHECK_INT(status, 400); /* no web socket was asked for */
    close(ends[0]);
    asked.screen_fd = 0;
    say_frame(fd, FRAME_CLOSE, "");
    hear(fd, NULL);
    CHECK_TEXT(hear(ends[1], NULL), ""); /* our end was closed with the tunnel */
    close(fd);
    close(ends[1]);
    turn(5);
    CHECK_INT(tunnels_count(api->tunnels), 0);
}

static void what_a_leaving_client_said_is_delivered(void)
{
    int fd = upgrade(CONSOLE);
    int guest = device_accept();
    hear(fd, "\r\n\r\n");
    say_frame(fd, FRAME_DATA, "echo done\n");
    say_frame(fd, FRAME_CLOSE, "");
    CHECK_TEXT(hear(fd, NULL), "\x88\x02\x03\xe8");
    CHECK_TEXT(hear(guest, NULL), "echo done\n");
    close(fd);
    close(guest);
    turn(5);
    CHECK_INT(tunnels_count(api->tunnels), 0);
    CHECK_INT(http_connection_count(api->http), 0);
}

static void a_slow_reader_stops_the_guest(void)
{
    int fd = upgrade(CONSOLE);
    int guest = device_accept();
    hear(fd, "\r\n\r\n");
    char block[4096];
    memset(block, 'x', sizeof block);
    size_t sent = 0, idle = 0;
    while (idle < 50 && sent < 64u << 20) {
        ssize_t n = write(guest, block, sizeof block);
        idle = n < 0 ? idle + 1 : 0;
        sent += n > 0 ? (size_t)n : 0;
        loop_run_once(loop, false);
    }
    CHECK(sent < 8u << 20); /* socket buffers and LIMIT_TUNNEL_BYTES, not everything */
    close(guest);
    hear(fd, "\x88\x02\x03\xe8");
    size_t count = 0;
    for (size_t i = 0; i < heard.length; i++)
        count += heard.data[i] == 'x';
    CHECK_INT(count, sent); /* nothing is lost */
    close(fd);
    turn(5);
    CHECK_INT(tunnels_count(api->tunnels), 0);
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
    CHECK(strstr(text_cstr(&heard), "[\"statistics-1\",\"default/x\",\"1\",\"10\",\"10\",\"Applied\""));
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
    };
    ask("POST", VMS, VM("counted"));
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
}

int main(void)
{
    struct error err;
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/socket", folder);
    loop = loop_new();
    store = fake_store = store_open(folder, loop, &err);
    if (!store) {
        printf("Bail out! %s\n", err.text);
        return 1;
    }
    api = api_new(loop, store, NULL);
    if (http_listen_unix(api_http(api), path, 0600, &err) < 0) {
        printf("Bail out! %s\n", err.text);
        return 1;
    }
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
    RUN(discovery_describes_it_all);
    RUN(watches_follow);
    RUN(a_watch_begins_with_a_long_list);
    RUN(watches_filter);
    RUN(old_versions_are_gone);
    RUN(consoles_carry_bytes);
    RUN(ports_carry_datagrams);
    RUN(screens_come_open);
    RUN(what_a_leaving_client_said_is_delivered);
    RUN(a_slow_reader_stops_the_guest);
    RUN(host_changes_are_shown);
    RUN(placements_are_proven);
    RUN(backs_up_over_the_api);
    RUN(metrics_are_shown);
    close(device_listener);
    api_free(api);
    store_close(store);
    loop_free(loop);
    file_remove_tree(folder, &err);
    return test_end();
}
