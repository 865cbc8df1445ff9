/* Manual pages as mdoc(7), printed from the tables the program runs on, so they cannot be out of date. A page is a row
 * in PAGES. */
#include <stdio.h>
#include <string.h>

#include "rtvmd/config.h"
#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "rtvmd/version.h"
#include "runtime/spec/fields.h"

/* A new sentence begins a new line, as mdoc wants it. */
static void print_sentences(const char *text)
{
    for (; *text; text++) {
        bool ends = text[0] == '.' && text[1] == ' ' && text[2] >= 'A' && text[2] <= 'Z';
        putchar(*text);
        if (ends) {
            putchar('\n');
            text++;
        }
    }
}

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
    bool first = false; /* a subsection begins a paragraph by itself */
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(group, VERBS[i].group) != 0) {
            group = VERBS[i].group;
            printf(".Ss %s\n", group);
            first = true;
        }
        printf("%s.Cm %s Ar %s\n.Pp\n", first ? "" : ".Pp\n", VERBS[i].name, VERBS[i].arguments);
        first = false;
        print_sentences(VERBS[i].summary);
        puts(".");
        char manual[] = "--help=manual";
        char name[32];
        snprintf(name, sizeof name, "%s", VERBS[i].name);
        char *argv[] = {name, manual, NULL};
        VERBS[i].run(2, argv);
    }
    puts(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev RTVMD_SOCKET\nthe daemon's unix socket\n.El\n"
         ".Sh FILES\n.Bl -tag -width Ds -compact\n"
         ".It Pa /etc/rtvmd/rtvmd.yaml\nconfiguration, see\n.Xr rtvmd.yaml 5\n"
         ".It Pa /run/rtvmd/rtvmd.sock\nthe socket of the API\n"
         ".It Pa /var/lib/rtvmd\nobjects, claims, images and disks\n.El\n"
         ".Sh EXIT STATUS\n.Bl -tag -width Ds -compact\n"
         ".It 0\nsuccess\n.It 1\nfailure\n.It 2\nbad input\n.It 3\nnot found\n.It 4\nconflict\n"
         ".It 5\nrefused by admission\n.It 7\ndaemon unreachable\n.El\n"
         ".Sh SEE ALSO\n.Xr virsh 1 ,\n.Xr rtvmd-manifest 5 ,\n.Xr rtvmd.yaml 5 ,\n.Xr sched 7");
}

static void print_config_page(void)
{
    puts(".Dd $Mdocdate$\n.Dt RTVMD.YAML 5\n.Os rtvmd " RTVMD_VERSION "\n.Sh NAME\n.Nm rtvmd.yaml\n"
         ".Nd configuration of the rtvmd daemon\n.Sh DESCRIPTION\n"
         "A YAML document of nested options, read by\n.Ic rtvmd serve --config .\n"
         "An unknown option ends the start, naming it.\n"
         "On SIGHUP\n.Pq Ic systemctl reload rtvmd\n"
         "the file is read again: options marked so are taken over and said in the log, for the others the log names\n"
         "what waits for a restart.\n"
         "A file with a mistake changes nothing.\n"
         "Certificates are read anew, changed or not.\n"
         ".Sh OPTIONS");
    auto_text options = {0};
    config_write_manual(&options);
    print_sentences(text_cstr(&options));
    puts(".Sh FILES\n.Pa /etc/rtvmd/rtvmd.yaml\n.Sh SEE ALSO\n.Xr rtvmd 8");
}

static void print_config_sample(void)
{
    auto_text sample = {0};
    config_write_sample(&sample);
    fputs(text_cstr(&sample), stdout);
}

/* Long words may be broken before their dots and bars. */
static void print_breakable(const char *word)
{
    for (; *word; word++)
        printf("%s%c", strchr(".|", *word) ? "\\:" : "", *word);
}

static void print_field(const struct field *field)
{
    printf(".It Cm ");
    print_breakable(field->path);
    printf("\n.Pq %s\n", field_type_text(field->type));
    print_sentences(field->doc);
    puts(".");
    if (field->values) {
        printf("One of\n");
        print_breakable(field->values);
        puts("");
    }
    if (field->def || field->otherwise)
        printf("Default: %s.\n", field->def ? field->def : field->otherwise);
    if (field->support != FIELD_DONE)
        printf("%s: %s.\n", field->support == FIELD_REFUSED ? "Refused" : "Ignored", field->because);
}

static void print_manifest_page(void)
{
    puts(".Dd $Mdocdate$\n.Dt RTVMD-MANIFEST 5\n.Os rtvmd " RTVMD_VERSION "\n.Sh NAME\n.Nm rtvmd-manifest\n"
         ".Nd what a virtual machine manifest may say\n.Sh DESCRIPTION\n"
         "A manifest is a KubeVirt VirtualMachine or VirtualMachineInstance, in YAML or JSON.\n"
         "Every field KubeVirt knows is listed here; those that mean nothing on a single host, and those that are\n"
         "refused, say why.\n.Ic rtvmd check\nsays everything that is wrong with a manifest.");
    const char *before = "";
    for (size_t i = 0; i < fields_count(); i++) {
        const char *kind;
        const struct field *field = fields_row(i, &kind);
        if (strcmp(kind, before) != 0)
            printf("%s.Sh %s\n.Bl -tag -width Ds\n", *before ? ".El\n" : "",
                   strcmp(kind, "VirtualMachine") == 0 ? "FIELDS OF A VIRTUALMACHINE"
                                                       : "FIELDS OF A VIRTUALMACHINEINSTANCE");
        before = kind;
        print_field(field);
    }
    puts(".El\n.Sh SEE ALSO\n.Xr rtvmd 8");
}

static const struct {
    const char *name;
    void (*print)(void);
} PAGES[] = {
    {"rtvmd", print_program_page},
    {"rtvmd.yaml", print_config_page},
    {"rtvmd-manifest", print_manifest_page},
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
         "no such page; there are rtvmd, rtvmd.yaml, rtvmd-manifest, and sample (the documented configuration file)");
    return verb_fail("manual", &err);
}
