#include <stdio.h>
#include <string.h>

#include "rtvmd/base/json.h"
#include "rtvmd/linked.h"
#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "rtvmd/version.h"

int verb_version(int argc, char **argv)
{
    const char *output = "";
    const struct verb_option options[] = {
        {.letter = 'o', .name = "output", .value = "FORMAT", .text = &output, .help = "json"},
    };
    struct error err;
    int positional;
    bool done;
    if (verb_options("version", argc, argv, options, ARRAY_SIZE(options), &positional, &done, &err) < 0)
        return verb_fail("version", &err);
    if (done)
        return 0;
    if (strcmp(output, "json") != 0) {
        printf("rtvmd %s\n", RTVMD_VERSION);
        return 0;
    }
    auto_json *report = json_pack("{s:s, s:s}", "version", RTVMD_VERSION, "kubevirt", RTVMD_KUBEVIRT_VERSION);
    json_t *libraries = json_array();
    for (const struct linked_library *l = LINKED; l->name; l++)
        json_array_append_new(
            libraries, json_pack("{s:s, s:s, s:s}", "name", l->name, "version", l->version, "license", l->license));
    json_object_set_new(report, "libraries", libraries);
    auto_text out = {0};
    json_write_pretty(report, &out);
    fputs(text_cstr(&out), stdout);
    return 0;
}
