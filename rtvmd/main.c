/* rtvmd: the program. A table of verbs and a dispatch; each verb is a file of its own beside this one. */
#include <stdio.h>
#include <string.h>

#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"

/* To add a verb: one row here, one function in verbs.h, one file verb_NAME.c. */
const struct verb VERBS[] = {
    {"host", verb_host, "[-o json|wide] [--host FILE|DIR]",
     "Show what this machine has: CPUs, memory nodes, huge pages, kernel, KVM", "Host"},
    {"render", verb_render, "-f FILE [NAME] [--host FILE|DIR] [--emulation auto|on|off] [--reserved-cpus LIST]",
     "Print the libvirt domain a manifest would become on this host", "Manifests"},
    {"plan", verb_plan, "-f FILE [--host FILE|DIR] [-o json|yaml|wide] [--reserved-cpus LIST]",
     "Show where the VMs of a manifest would run, or every reason why they cannot", "Manifests"},
    {"completion", verb_completion, "bash|zsh", "Print a completion script for a shell", "Other"},
    {"manual", verb_manual, "rtvmd|rtvmd.yaml|sample", "Print a manual page, made from the tables the program runs on",
     "Other"},
    {"version", verb_version, "[-o json]", "Print the version and what the binary was built with", "Other"},
};
const size_t VERB_COUNT = ARRAY_SIZE(VERBS);

static void print_usage(FILE *out)
{
    fputs("rtvmd: KubeVirt-compatible real-time virtual machines on one Linux host\n\nusage: rtvmd VERB [ARGUMENTS]\n",
          out);
    const char *group = "";
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(group, VERBS[i].group) != 0) {
            group = VERBS[i].group;
            fprintf(out, "\n%s:\n", group);
        }
        fprintf(out, "  %-12s %s\n", VERBS[i].name, VERBS[i].summary);
    }
    fputs("\nrtvmd VERB --help tells more about one verb.\n", out);
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(VERBS[i].name, name) == 0)
            return VERBS[i].run(argc - 1, argv + 1);
    if (strcmp(name, "image-unpack") == 0)
        return verb_image_unpack(argc - 1, argv + 1);
    fprintf(stderr, "rtvmd: unknown verb \"%s\"; rtvmd --help lists them\n", argv[1]);
    return 2;
}
