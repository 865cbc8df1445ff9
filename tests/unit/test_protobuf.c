#include "api/wire/protobuf.c"
#include "tests/test.h"

/* One length-delimited field. */
static void put(struct text *out, unsigned number, const char *bytes, size_t length)
{
    char head[2] = {(char)(number << 3 | 2), (char)length};
    text_append_n(out, head, 2);
    text_append_n(out, bytes, length);
}

static void put_text(struct text *out, unsigned number, const char *text)
{
    put(out, number, text, strlen(text));
}

static void put_number(struct text *out, unsigned number, unsigned char value)
{
    char bytes[2] = {(char)(number << 3), (char)value};
    text_append_n(out, bytes, 2);
}

static void envelope(const char *kind, const struct text *raw, struct text *out)
{
    auto_text type = {0};
    put_text(&type, 1, "v1");
    put_text(&type, 2, kind);
    text_append_n(out, "k8s\0", 4);
    put(out, 1, type.data, type.length);
    put(out, 2, text_cstr(raw), raw->length);
}

static void a_secret(struct text *out)
{
    auto_text metadata = {0}, label = {0}, owner = {0}, pair = {0}, raw = {0}, time = {0};
    put_text(&label, 1, "app");
    put_text(&label, 2, "web");
    put_text(&owner, 1, "VirtualMachine");
    put_text(&owner, 3, "vm");
    put_number(&owner, 6, 1);
    put_text(&metadata, 1, "s");
    put_text(&metadata, 2, ""); /* says nothing */
    put_number(&time, 1, 60);
    put(&metadata, 8, time.data, time.length);
    put(&metadata, 11, label.data, label.length);
    put(&metadata, 13, owner.data, owner.length);
    put_text(&metadata, 14, "a/b");
    put_text(&metadata, 14, "c/d");
    put_text(&pair, 1, "key");
    put(&pair, 2, "\0\xff", 2);
    put(&raw, 1, metadata.data, metadata.length);
    put(&raw, 2, pair.data, pair.length);
    put_text(&raw, 3, "Opaque");
    put_number(&raw, 5, 1);
    put_text(&raw, 9, "of a later version");
    envelope("Secret", &raw, out);
}

static void objects_come_out_as_their_json(void)
{
    struct error err = {0};
    auto_text bytes = {0};
    a_secret(&bytes);
    auto_json *object = protobuf_read(bytes.data, bytes.length, &err);
    auto_free char *text = object ? json_to_text(object) : must_strdup(err.text);
    CHECK_TEXT(text,
               "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\",\"creationTimestamp\":"
               "\"1970-01-01T00:01:00Z\",\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{\"kind\":"
               "\"VirtualMachine\",\"name\":\"vm\",\"controller\":true}],\"finalizers\":[\"a/b\",\"c/d\"]},\"data\":{"
               "\"key\":\"AP8=\"},\"type\":\"Opaque\",\"immutable\":true}");
    auto_text raw = {0}, options = {0};
    put_number(&raw, 1, 0); /* zero seconds is something said */
    put_text(&raw, 5, "All");
    envelope("DeleteOptions", &raw, &options);
    auto_json *deletion = protobuf_read(options.data, options.length, &err);
    CHECK_INT(json_int_at(deletion, "gracePeriodSeconds", -1), 0);
    CHECK_TEXT(json_text_at(deletion, "dryRun.0", ""), "All");
}

static void cut_and_broken_bytes_are_refused(void)
{
    struct error err;
    auto_text bytes = {0};
    a_secret(&bytes);
    for (size_t length = 0; length < bytes.length; length++) {
        auto_json *object = protobuf_read(bytes.data, length, &err);
        CHECK(object == NULL || !json_object_get(object, "immutable"));
    }
    auto_text raw = {0}, other = {0}, bad = {0}, name = {0};
    envelope("VirtualMachine", &raw, &other);
    CHECK(protobuf_read(other.data, other.length, &err) == NULL);
    CHECK_INT(err.kind, ERROR_UNSUPPORTED_MEDIA);
    put(&name, 1, "\xff\xfe", 2); /* no UTF-8 */
    put(&raw, 1, name.data, name.length);
    envelope("ConfigMap", &raw, &bad);
    CHECK(protobuf_read(bad.data, bad.length, &err) == NULL);
    CHECK_INT(err.kind, ERROR_BAD_REQUEST);
}

static void too_many_values_are_refused(void)
{
    struct error err;
    struct reader reader = {.values = LIMIT_MANIFEST_NODES - 1};
    static const unsigned char two[] = {1 << 3 | 2, 1, 'x', 1 << 3 | 2, 1, 'y'};
    auto_json *spec = json_object();
    CHECK_INT(read_message(&reader, &NAMESPACE_SPEC, (struct span){two, two + 3}, spec), 0);
    reader.values = LIMIT_MANIFEST_NODES - 1;
    CHECK_INT(read_message(&reader, &NAMESPACE_SPEC, (struct span){two, two + 6}, spec), -1);
    CHECK(protobuf_read("", 0, &err) == NULL);
}

int main(void)
{
    RUN(objects_come_out_as_their_json);
    RUN(cut_and_broken_bytes_are_refused);
    RUN(too_many_values_are_refused);
    return test_end();
}
