#include "api/wire/selector.c"
#include "tests/test.h"

static json_t *object;

static void matches(const char *labels, bool wanted, int line)
{
    struct error err;
    auto_selector *selector = NULL;
    if (selector_parse_labels(labels, &selector, &err) < 0 || selector_matches(selector, object) != wanted) {
        printf("# line %d: %s should %smatch\n", line, labels, wanted ? "" : "not ");
        test_failures++;
    }
}
#define MATCHES(labels) matches(labels, true, __LINE__)
#define MATCHES_NOT(labels) matches(labels, false, __LINE__)

static void labels_select(void)
{
    MATCHES("");
    MATCHES("app=web");
    MATCHES("app==web");
    MATCHES(" app = web , tier!=back");
    MATCHES_NOT("app=db");
    MATCHES("app!=db");
    MATCHES("missing!=db");
    MATCHES("app in (db, web)");
    MATCHES_NOT("app in (db)");
    MATCHES("app notin (db),app");
    MATCHES("missing notin (db)");
    MATCHES("app");
    MATCHES_NOT("!app");
    MATCHES("!missing");
    MATCHES("a.b/c=1");
    MATCHES("in=1");
    MATCHES("empty=");
    MATCHES_NOT("missing=");
    MATCHES("count>3,count<5");
    MATCHES_NOT("count>4");
    MATCHES_NOT("app>4");
}

static void bad_selectors_are_refused(void)
{
    static const char *const bad[] = {"=", "a=b,", ",", "a in b", "a in (b", "a b", "(a)", "a in", "a!b", "!"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = {0};
        auto_selector *selector = NULL;
        if (selector_parse_labels(bad[i], &selector, &err) == 0) {
            printf("# \"%s\" was taken\n", bad[i]);
            test_failures++;
        }
        CHECK(selector == NULL);
        CHECK_INT(err.kind, ERROR_BAD_REQUEST);
    }
    auto_text many = {0};
    for (unsigned i = 0; i < LIMIT_SELECTOR_TERMS; i++)
        text_append(&many, i ? ",a!=b" : "a!=b");
    MATCHES(many.data);
    text_append(&many, ",a");
    struct error err;
    struct selector *selector;
    CHECK_INT(selector_parse_labels(many.data, &selector, &err), -1);
}

static void fields_select(void)
{
    static const char *const known[] = {"status.phase", NULL};
    static const struct {
        const char *text;
        int wanted;
    } cases[] = {{"metadata.name=x", 1},      {"metadata.name!=x", 0},      {"metadata.namespace=n", 1},
                 {"status.phase=Running", 1}, {"status.phase!=Running", 0}, {"status.phase=Running,metadata.name=y", 0},
                 {"spec.nodeName=h", -1},     {"metadata.name in (x)", -1}, {"metadata.name", -1}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err;
        auto_selector *selector = NULL;
        int parsed = selector_parse_fields(cases[i].text, known, &selector, &err);
        int found = parsed < 0 ? -1 : selector_matches(selector, object);
        if (found != cases[i].wanted) {
            printf("# %s is %d\n", cases[i].text, found);
            test_failures++;
        }
    }
}

int main(void)
{
    struct error err;
    static const char text[] =
        "{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\",\"labels\":{\"app\":\"web\",\"a.b/c\":\"1\","
        "\"in\":\"1\",\"empty\":\"\",\"count\":\"4\"}},\"status\":{\"phase\":\"Running\"}}";
    object = json_from_text(text, sizeof text - 1, &err);
    RUN(labels_select);
    RUN(bad_selectors_are_refused);
    RUN(fields_select);
    json_decref(object);
    return test_end();
}
