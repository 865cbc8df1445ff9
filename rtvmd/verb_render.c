/* rtvmd render: check -> plan -> the libvirt domain XML a manifest would become, on this host or a recorded one, with
 * nothing promised to anybody else. It changes nothing: no disk is made, no CPU claimed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rtvmd/config.h"
#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "runtime/image/image.h"

struct render {
    const char *file;
    const char *wanted_name; /* NULL: the only one */
    const char *recorded;
    struct config config;
    struct host *host;
};

static bool is_machine(const json_t *object)
{
    const char *kind = json_text_at(object, "kind", "");
    return strcmp(kind, "VirtualMachine") == 0 || strcmp(kind, "VirtualMachineInstance") == 0;
}

/* The one machine of the file, or the one named. New reference. */
static json_t *pick_machine(const struct render *r, const json_t *objects, struct error *err)
{
    json_t *found = NULL;
    auto_text names = {0};
    size_t i;
    json_t *object;
    json_array_foreach((json_t *)objects, i, object)
    {
        const char *name = json_text_at(object, "metadata.name", "");
        if (!is_machine(object) || (r->wanted_name && strcmp(name, r->wanted_name) != 0))
            continue;
        text_printf(&names, "%s%s", found ? ", " : "", name);
        if (found)
            continue;
        found = object;
    }
    if (!found) {
        fail(err, ERROR_BAD_REQUEST, "%s: no VirtualMachine or VirtualMachineInstance%s%s in it", r->file,
             r->wanted_name ? " named " : "", r->wanted_name ? r->wanted_name : "");
        return NULL;
    }
    if (strchr(text_cstr(&names), ',')) {
        fail(err, ERROR_BAD_REQUEST, "%s: several machines (%s); name one: rtvmd render -f %s NAME", r->file,
             text_cstr(&names), r->file);
        return NULL;
    }
    return json_incref(found);
}

static void print_warnings(const struct findings *findings)
{
    for (size_t i = 0; i < findings->warning_count; i++)
        fprintf(stderr, "warning: %s\n", findings->warning[i]);
}

/* Admission by the field table. ERROR_BAD_REQUEST when there are causes, which are printed. */
static int admit(json_t *object, struct findings *findings, struct error *err)
{
    if (spec_admit(object, findings, err) < 0)
        return -1;
    for (size_t i = 0; i < findings->cause_count; i++) {
        auto_free char *text = cause_text(&findings->cause[i]);
        fprintf(stderr, "%s\n", text);
    }
    if (findings->cause_count > 0)
        return fail(err, ERROR_BAD_REQUEST, "%s is not valid: %zu problem%s", json_text_at(object, "metadata.name", ""),
                    findings->cause_count, findings->cause_count == 1 ? "" : "s");
    return 0;
}

static bool needs_emulation(const struct render *r)
{
    return r->config.emulation == CONFIG_EMULATION_ON ||
           (r->config.emulation == CONFIG_EMULATION_AUTO && r->host->kvm_works == HOST_NO);
}

static int plan(const struct render *r, const struct vm_spec *spec, struct decision *decision, struct error *err)
{
    struct place_policy policy = {
        .reserved = r->config.reserved_cpus,
        .emulation = needs_emulation(r),
        .allow_emulation = r->config.emulation != CONFIG_EMULATION_OFF,
    };
    struct claims nobody = {0};
    place_plan(r->host, &policy, &nobody, spec, NULL, decision);
    for (unsigned i = 0; i < decision->warning_count; i++)
        fprintf(stderr, "warning: %s\n", decision->warning[i]);
    if (decision->admitted)
        return 0;
    for (unsigned i = 0; i < decision->reason_count; i++)
        fprintf(stderr, "%s: %s\n", decision->reason[i].code, decision->reason[i].message);
    return fail(err, ERROR_REFUSED, "%s does not fit this host: %u reason%s", spec->name, decision->reason_count,
                decision->reason_count == 1 ? "" : "s");
}

static int write_domain(const struct render *r, const struct vm_spec *spec, const struct placement *placement,
                        struct findings *findings, struct text *xml, struct error *err)
{
    struct image_config images = {.state_dir = r->config.state_dir,
                                  .host_disk_dirs = (const char *const *)r->config.host_disk_dirs};
    struct disk_source *disks;
    auto_kernel_files kernel = {0};
    if (image_plan_kernel(&images, spec, &kernel, err) < 0 || image_plan_disks(&images, spec, &disks, err) < 0)
        return -1;
    auto_free char *run_dir = must_format("%s/%s_%s", r->config.run_dir, spec->namespace_, spec->name);
    struct domain_request request = {
        .host = r->host,
        .spec = spec,
        .placement = placement,
        .disk = disks,
        .kernel_path = kernel.path[KERNEL_FILE_KERNEL],
        .initrd_path = kernel.path[KERNEL_FILE_INITRD],
        .run_dir = run_dir,
        .emulation = needs_emulation(r),
    };
    int status = domain_render(&request, xml, findings, err);
    disk_sources_free(disks, spec->disk_count);
    return status;
}

static int render(const struct render *r, struct text *xml, struct error *err)
{
    auto_text manifest = {0};
    if (verb_read_file(r->file, &manifest, err) < 0)
        return -1;
    auto_json *objects = manifest_parse(text_cstr(&manifest), manifest.length, err);
    if (!objects)
        return error_prefix(err, "%s", r->file);
    auto_json *object = pick_machine(r, objects, err);
    if (!object || host_load(r->recorded, r->host, err) < 0)
        return -1;
    auto_findings findings = {0};
    auto_spec spec = {0};
    int status = admit(object, &findings, err);
    if (status == 0)
        status = spec_decode(object, &spec, err);
    struct decision *decision = must_calloc(1, sizeof *decision);
    if (status == 0)
        status = plan(r, &spec, decision, err);
    if (status == 0)
        status = write_domain(r, &spec, &decision->placement, &findings, xml, err);
    print_warnings(&findings);
    free(decision);
    return status;
}

/* Options that are also in the configuration go through its table: same grammar, same messages. */
static int read_options(struct render *r, int argc, char **argv, bool *ret_done, struct error *err)
{
    static const char *const KEYS[] = {"libvirt.emulation", "host.reservedCPUs", "stateDir", "runDir"};
    const char *values[ARRAY_SIZE(KEYS)] = {NULL};
    const char *config = NULL;
    const struct verb_option options[] = {
        {.letter = 'f',
         .name = "filename",
         .value = "FILE",
         .text = &r->file,
         .help = "Manifest, - for standard input"},
        {.name = "host",
         .value = "FILE|DIR",
         .text = &r->recorded,
         .help = "A recorded host instead of this machine: what host -o json printed, or a tree of /sys and /proc"},
        {.name = "emulation", .value = "auto|on|off", .text = &values[0], .help = "When KVM does not work (auto)"},
        {.name = "reserved-cpus", .value = "LIST", .text = &values[1], .help = "CPUs that stay the host's"},
        {.name = "state-dir", .value = "DIR", .text = &values[2], .help = "Where disks and images will be"},
        {.name = "run-dir", .value = "DIR", .text = &values[3], .help = "Where sockets and logs will be"},
        {.name = "config", .value = "FILE", .text = &config, .help = "Configuration of the daemon (none)"},
    };
    int positional;
    if (verb_options("render", argc, argv, options, ARRAY_SIZE(options), &positional, ret_done, err) < 0)
        return -1;
    if (*ret_done)
        return 0;
    if (!r->file)
        return fail(err, ERROR_BAD_REQUEST, "give a manifest with -f FILE (- for standard input)");
    if (positional > 1)
        return fail(err, ERROR_BAD_REQUEST, "unexpected argument \"%s\"; one machine at a time", argv[1]);
    r->wanted_name = positional == 1 ? argv[0] : NULL;
    if (config && config_read_file(&r->config, config, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++)
        if (values[i] && config_set(&r->config, KEYS[i], values[i], err) < 0)
            return -1;
    return 0;
}

int verb_render(int argc, char **argv)
{
    struct render r = {.host = must_calloc(1, sizeof *r.host)};
    config_init(&r.config);
    struct error err;
    auto_text xml = {0};
    bool done = false;
    int status = read_options(&r, argc, argv, &done, &err);
    if (status == 0 && !done)
        status = render(&r, &xml, &err);
    fputs(status == 0 ? text_cstr(&xml) : "", stdout);
    config_finish(&r.config);
    free(r.host);
    return status < 0 ? verb_fail("render", &err) : 0;
}
