#include "runtime/image/name.c"

#include "runtime/image/pull.h"
#include "tests/test.h"

static void checks_names(void)
{
    static const char *const GOOD[] = {"a", "fedora:40", "quay.io/org/img:v1.2-x_y", "host:5000/a/b@sha256:00"};
    static const char *const BAD[] = {"",   "-a", "--option", "/a",  "a b", "a//b", "a/../b",      "a/",
                                      "a:", "a@", "a\nb",     "a$b", ".a",  "a;b",  "oci:/etc//x", "\xc3\xa4"};
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(GOOD); i++)
        CHECK_INT(image_name_check(GOOD[i], &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
        CHECK_INT(image_name_check(BAD[i], &err), -1);
    char name[LIMIT_IMAGE_NAME_BYTES + 2];
    memset(name, 'a', sizeof name);
    name[LIMIT_IMAGE_NAME_BYTES + 1] = '\0';
    CHECK_INT(image_name_check(name, &err), -1);
    name[LIMIT_IMAGE_NAME_BYTES] = '\0';
    CHECK_INT(image_name_check(name, &err), 0);
}

static void takes_names_apart(void)
{
    static const struct {
        const char *name;
        const char *repository;
    } CASES[] = {
        {"fedora", "fedora"},           {"fedora:40", "fedora"},
        {"host:5000/x", "host:5000/x"}, {"host:5000/x:1", "host:5000/x"},
        {"a/b:1@sha256:00", "a/b"},     {"a/b@sha256:00", "a/b"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        auto_free char *repository = image_name_repository(CASES[i].name);
        CHECK_TEXT(repository, CASES[i].repository);
    }
    CHECK(image_name_equal("x", "x:latest") && image_name_equal("h:1/x:latest", "h:1/x"));
    CHECK(!image_name_equal("x", "x:1") && !image_name_equal("x", "xy") && !image_name_equal("h:1/x", "h:2/x"));
    CHECK(image_name_has_digest("a@sha256:00") && !image_name_has_digest("a:1"));
}

static void knows_the_probe(void)
{
    CHECK(image_name_is_probe("rtvmd.io/latency-probe") && image_name_is_probe("rtvmd.io/latency-probe:v1"));
    CHECK(!image_name_is_probe("rtvmd.io/latency-probe2") && !image_name_is_probe("x/rtvmd.io/latency-probe"));
}

static void defaults_the_pull_policy(void)
{
    static const struct {
        const char *source;
        enum image_policy policy;
    } CASES[] = {
        {"{\"image\": \"x\"}", IMAGE_ALWAYS},
        {"{\"image\": \"x:latest\"}", IMAGE_ALWAYS},
        {"{\"image\": \"x:1\"}", IMAGE_IF_NOT_PRESENT},
        {"{\"image\": \"x@sha256:00\"}", IMAGE_IF_NOT_PRESENT},
        {"{\"image\": \"h:5000/x\"}", IMAGE_IF_NOT_PRESENT},
        {"{\"image\": \"x\", \"imagePullPolicy\": \"Never\"}", IMAGE_NEVER},
        {"{\"image\": \"x:1\", \"imagePullPolicy\": \"Always\"}", IMAGE_ALWAYS},
        {"{\"image\": \"x\", \"imagePullPolicy\": \"IfNotPresent\"}", IMAGE_IF_NOT_PRESENT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct error err;
        auto_json *source = json_from_text(CASES[i].source, strlen(CASES[i].source), &err);
        CHECK_INT(image_policy_of(source), CASES[i].policy);
    }
}

static void understands_skopeo(void)
{
    static const struct {
        const char *message;
        enum error_kind kind;
        enum pull_failure failure;
        const char *part;
    } CASES[] = {
        {"time=\"x\" level=fatal msg=\"Error reading: manifest unknown: manifest unknown\"", ERROR_NOT_FOUND,
         PULL_REFUSED, "no such image"},
        {"time=\"x\" level=fatal msg=\"pinging: Get https://r/v2/: dial tcp 1.2.3.4:443: i/o timeout\"",
         ERROR_UNAVAILABLE, PULL_OFFLINE, "cannot be reached"},
        {"msg=\"requested access to the resource is denied\"", ERROR_UNAVAILABLE, PULL_REFUSED, "skopeo login"},
        {"msg=\"write /x: no space left on device\"", ERROR_UNAVAILABLE, PULL_REFUSED, "is full"},
        {"msg=\"x509: certificate signed by unknown authority\"", ERROR_UNAVAILABLE, PULL_REFUSED, "certificate"},
        {"something new", ERROR_UNAVAILABLE, PULL_REFUSED, "something new"},
        {"", ERROR_UNAVAILABLE, PULL_REFUSED, "the pull failed"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct error err;
        enum pull_failure failure;
        CHECK_INT(pull_judge("r/x:1", CASES[i].message, &failure, &err), -1);
        CHECK_INT(err.kind, CASES[i].kind);
        CHECK_INT(failure, CASES[i].failure);
        CHECK(text_starts_with(err.text, "cannot pull r/x:1: "));
        if (!strstr(err.text, CASES[i].part))
            CHECK_TEXT(err.text, CASES[i].part);
    }
}

int main(void)
{
    RUN(checks_names);
    RUN(takes_names_apart);
    RUN(knows_the_probe);
    RUN(defaults_the_pull_policy);
    RUN(understands_skopeo);
    return test_end();
}
