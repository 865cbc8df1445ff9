#include "rtvmd/export.c"

#include "tests/test.h"

static json_t *parse(const char *text)
{
    struct error err;
    json_t *value = json_from_text(text, strlen(text), &err);
    CHECK(value != NULL);
    return value;
}

static void check(const char *stored, const char *wanted)
{
    auto_json *object = parse(stored);
    auto_json *exported = export_object(object);
    auto_free char *found = json_to_text(exported);
    CHECK_TEXT(found, wanted);
}

static void keeps_what_clients_said(void)
{
    check(
        "{\"apiVersion\":\"kubevirt.io/v1\",\"kind\":\"VirtualMachine\",\"metadata\":{\"name\":\"a\",\"namespace\":\"lab\","
        "\"uid\":\"1\",\"labels\":{\"mine\":\"1\",\"made\":\"2\"},\"finalizers\":[\"x\"],\"managedFields\":["
        "{\"manager\":\"me\",\"fieldsV1\":{\"f:metadata\":{\"f:labels\":{\"f:mine\":{}},\"f:finalizers\":{\"v:\\\"x\\\"\":{}}},"
        "\"f:spec\":{\"f:cpu\":{\"f:cores\":{}},\"f:realtime\":{},\"f:disks\":{}}}},"
        "{\"manager\":\"you\",\"fieldsV1\":{\"f:spec\":{\"f:cpu\":{\"f:model\":{}}}}},"
        "{\"manager\":\"we\",\"subresource\":\"status\",\"fieldsV1\":{\"f:spec\":{\"f:machine\":{}}}}]},"
        "\"spec\":{\"cpu\":{\"sockets\":1,\"model\":\"x\",\"cores\":2},\"realtime\":{\"mask\":\"made\"},\"machine\":\"q35\","
        "\"disks\":[{\"name\":\"d\"}]},\"status\":{\"a\":1}}",
        "{\"apiVersion\":\"kubevirt.io/v1\",\"kind\":\"VirtualMachine\",\"metadata\":{\"name\":\"a\",\"namespace\":\"lab\","
        "\"labels\":{\"mine\":\"1\"}},\"spec\":{\"cpu\":{\"model\":\"x\",\"cores\":2},\"realtime\":{},\"disks\":[{\"name\":\"d\"}]}}");
}

static void without_managers_only_the_servers_goes(void)
{
    check(
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\",\"namespace\":\"default\",\"uid\":\"1\","
        "\"generation\":1,\"resourceVersion\":\"7\",\"creationTimestamp\":\"2024-01-01T00:00:00Z\","
        "\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"{}\"}},"
        "\"type\":\"Opaque\",\"data\":{\"k\":\"dg==\"}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\"},\"type\":\"Opaque\","
        "\"data\":{\"k\":\"dg==\"}}");
}

static void leaves_out_children_and_the_dying(void)
{
    auto_json *plain = parse("{\"metadata\":{\"name\":\"a\"}}");
    auto_json *child = parse("{\"metadata\":{\"name\":\"a\",\"ownerReferences\":[{\"uid\":\"1\"}]}}");
    auto_json *dying = parse("{\"metadata\":{\"name\":\"a\",\"deletionTimestamp\":\"2024-01-01T00:00:00Z\"}}");
    CHECK(export_is_wanted(plain));
    CHECK(!export_is_wanted(child));
    CHECK(!export_is_wanted(dying));
}

int main(void)
{
    RUN(keeps_what_clients_said);
    RUN(without_managers_only_the_servers_goes);
    RUN(leaves_out_children_and_the_dying);
    return test_end();
}
