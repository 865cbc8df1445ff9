#include "api/wire/jsonpath.c"
#include "tests/test.h"

static json_t *object;

static void check(const char *path, const char *wanted, int line)
{
    const json_t *found = jsonpath_first(object, path);
    auto_free char *text = found ? json_to_text(found) : must_strdup("none");
    auto_json *all = jsonpath_all(object, path);
    if (strcmp(text, wanted) != 0 || (json_array_size(all) > 0) != (found != NULL)) {
        printf("# line %d: %s is %s\n", line, path, text);
        test_failures++;
    }
}
#define IS(path, wanted) check(path, wanted, __LINE__)

static void paths_find_values(void)
{
    IS(".a.b", "1");
    IS("{.a.b}", "1");
    IS("{$.a.b}", "1");
    IS(".a.c", "none");
    IS(".list[0].n", "\"x\"");
    IS(".list[-1].n", "\"y\"");
    IS(".list[5].n", "none");
    IS(".list[*].n", "\"x\"");
    IS(".list[?(@.n=='y')].v", "2");
    IS(".list[?(@.n==\"y\")].v", "2");
    IS(".list[?(@.n == \"z\")].v", "none");
    IS(".list[?@.n==\"y\"].v", "2");
    IS("['a']['b']", "1");
    IS(".a['d.e']", "3");
    IS("", "{\"a\":{\"b\":1,\"d.e\":3},\"list\":[{\"n\":\"x\",\"v\":1},{\"n\":\"y\",\"v\":2}]}");
    auto_json *all = jsonpath_all(object, ".list[*].v");
    CHECK_INT(json_array_size(all), 2);
}

static void bad_paths_are_named(void)
{
    static const char *const bad[] = {"a",      ".",   "..a", ".a[", ".a[x]", ".a[?(@.b=1)]", ".a[?(b==\"1\")]",
                                      ".a['b]", ".a[1"};
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_INT(jsonpath_check(bad[i], &err), -1);
    CHECK_INT(jsonpath_check("{.status.conditions[?(@.type==\"Ready\")].status}", &err), 0);
}

int main(void)
{
    struct error err;
    static const char text[] = "{\"a\":{\"b\":1,\"d.e\":3},\"list\":[{\"n\":\"x\",\"v\":1},{\"n\":\"y\",\"v\":2}]}";
    object = json_from_text(text, sizeof text - 1, &err);
    RUN(paths_find_values);
    RUN(bad_paths_are_named);
    json_decref(object);
    return test_end();
}
