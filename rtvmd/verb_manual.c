/* Manual pages as mdoc(7), printed from the tables the program runs on, so they cannot be out of date. A page is a row
 * in PAGES. */
#include <stdio.h>
#include <string.h>

#include "rtvmd/config.h"
#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "rtvmd/version.h"

static void print_program_page(void)
{
    puts(".Dd $Mdocdate$\n.Dt RTVMD 8\n.Os rtvmd " RTVMD_VERSION "\n.Sh NAME\n.Nm rtvmd\n"
         ".Nd KubeVirt-compatible real-time virtual machines on one Linux host\n.Sh SYNOPSIS");
    for (size_t i = 0; i < VERB_COUNT; i++)
        printf(".Nm rtvmd %s\n%s\n.br\n", VERBS[i].name, VERBS[i].arguments);
    puts(".Sh DESCRIPTION\n"
         "One daemon\n.Pq Ic serve\n"
         "keeps KubeVirt virtual machine objects in a local store, decides where each may run on this host, drives\n"
         "libvirt, and proves after the start that every thread of a virtual machine is where the plan says.\n"
         "The other verbs speak to it over a unix socket, or work without it.");
    const char *group = "";
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(group, VERBS[i].group) != 0) {
            group = VERBS[i].group;
            printf(".Ss %s\n", group);
        }
        printf(".Pp\n.Cm %s Ar %s\n.Pp\n%s.\n", VERBS[i].name, VERBS[i].arguments, VERBS[i].summary);
        char manual[] = "--help=manual";
        char name[32];
        snprintf(name, sizeof name, "%s", VERBS[i].name);
        char *argv[] = {name, manual, NULL};
        VERBS[i].run(2, argv);
    }
    puts(".Sh EXIT STATUS\n.Bl -tag -width Ds -compact\n"
         ".It 0\nsuccess\n.It 1\nfailure\n.It 2\nbad input\n.It 3\nnot found\n.It 4\nconflict\n"
         ".It 5\nrefused by admission\n.It 7\ndaemon unreachable\n.El\n"
         ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev RTVMD_SOCKET\nthe daemon's unix socket\n.El\n"
         ".Sh SEE ALSO\n.Xr virsh 1 ,\n.Xr sched 7");
}

static void print_config_page(void)
{
    puts(".Dd $Mdocdate$\n.Dt RTVMD.YAML 5\n.Os rtvmd " RTVMD_VERSION "\n.Sh NAME\n.Nm rtvmd.yaml\n"
         ".Nd configuration of the rtvmd daemon\n.Sh DESCRIPTION\n"
         "A YAML document of nested options, read by\n.Ic rtvmd serve --config .\n"
         "An unknown option ends the start, naming it. On SIGHUP what can change while running is read again.\n"
         ".Sh OPTIONS");
    auto_text options = {0};
    config_write_manual(&options);
    fputs(text_cstr(&options), stdout);
    puts(".Sh FILES\n.Pa /etc/rtvmd/rtvmd.yaml\n.Sh SEE ALSO\n.Xr rtvmd 8");
}

static void print_config_sample(void)
{
    auto_text sample = {0};
    config_write_sample(&sample);
    fputs(text_cstr(&sample), stdout);
}

static const struct {
    const char *name;
    void (*print)(void);
} PAGES[] = {
    {"rtvmd", print_program_page},
    {"rtvmd.yaml", print_config_page},
    {"sample", print_config_sample},
};

int verb_manual(int argc, char **argv)
{
    struct error err;
    int positional;
    bool done;
    if (verb_options("manual", argc, argv, NULL, 0, &positional, &done, &err) < 0)
        return verb_fail("manual", &err);
    if (done)
        return 0;
    for (size_t i = 0; positional == 1 && i < ARRAY_SIZE(PAGES); i++) {
        if (strcmp(PAGES[i].name, argv[0]) == 0) {
            PAGES[i].print();
            return 0;
        }
    }
    fail(&err, ERROR_BAD_REQUEST,
         "no such page; there are rtvmd, rtvmd.yaml, and sample (the documented configuration file)");
    return verb_fail("manual", &err);
}
