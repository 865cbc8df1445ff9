#include "runtime/work.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/file.h"

/* A start: volumes, XML, start paused, proof, repair, resume. A daemon killed between any two of these leaves a domain
 * that is absent, off, paused or running, and reconcile knows what to do about each. */

static json_t *find_lookup(const char *kind, const char *namespace_, const char *name, void *arg)
{
    (void)namespace_; /* gathered from the VM's own */
    const struct work *work = arg;
    auto_free char *key = must_format("%s/%s", kind, name);
    return json_incref(json_object_get(work->lookups, key));
}

static void add_warnings(struct work *work, const struct findings *findings)
{
    for (size_t i = 0; i < findings->warning_count; i++)
        text_printf(&work->warnings, "%s\n", findings->warning[i]);
}

static int render(struct work *work, const struct disk_source *disks, const struct kernel_files *kernel,
                  struct text *ret_xml, struct error *err)
{
    auto_findings findings = {0};
    const struct domain_request request = {
        .host = &work->host->host,
        .spec = &work->spec,
        .placement = work->placement,
        .disk = disks,
        .kernel_path = kernel->path[KERNEL_FILE_KERNEL],
        .initrd_path = kernel->path[KERNEL_FILE_INITRD],
        .run_dir = work->run_dir,
        .emulation = work->emulation,
        .starts = true,
    };
    if (domain_render(&request, ret_xml, &findings, err))
        return -1;
    add_warnings(work, &findings);
    return 0;
}

static void tell_progress(const char *sentence, void *arg)
{
    struct work *work = arg;
    if (work->progress)
        work->progress(work, sentence);
}

static int grow_pools(struct work *work, struct error *err)
{
    for (size_t i = 0; i < work->growth_count; i++)
        if (page_pool_grow("", &work->growth[i], err) < 0)
            return error_prefix(err, "the pool of huge pages cannot grow");
    return 0;
}

static int define_and_start(struct work *work, struct error *err)
{
    struct disk_source *disks = NULL;
    auto_kernel_files kernel = {0};
    if (image_plan_kernel(&work->image, &work->spec, &kernel, err) ||
        image_plan_disks(&work->image, &work->spec, &disks, err))
        return -1;
    auto_text xml = {0};
    int r = image_prepare_disks(&work->image, &work->spec, disks, tell_progress, work, err);
    if (r == 0)
        r = image_prepare_kernel(&work->image, &work->spec, &kernel, NULL, NULL, err);
    if (r == 0)
        work->stage = WORK_STAGE_DOMAIN;
    if (r == 0)
        r = file_make_folders(work->run_dir, 0711, err);
    if (r == 0)
        r = render(work, disks, &kernel, &xml, err);
    if (r == 0)
        r = grow_pools(work, err);
    disk_sources_free(disks, work->spec.disk_count);
    /* Always paused: nothing of the guest runs before its threads are where they belong. */
    return r ? -1 : hypervisor_start(work->hypervisor, text_cstr(&xml), true, err);
}

static void look(struct work *work)
{
    struct error err;
    work->is_observed = hypervisor_observe_one(work->hypervisor, work->domain_name, &work->domain, &err) == 0;
}

static int prove_once(struct work *work, struct proof *ret_proof, struct error *err)
{
    int pid = work->domain.pid;
    if (work->threads_only)
        return prove_threads("", pid, work->placement, ret_proof, err);
    return prove_vm("", pid, work->placement, &work->spec, work->spec.realtime, ret_proof, err);
}

/* Once more after a repair: a thread that cannot be kept in place is drift, not repaired. */
static int prove(struct work *work, struct error *err)
{
    auto_proof proof = {0};
    if (prove_once(work, &proof, err))
        return -1;
    if (!proof.ok)
        work->drift = proof_to_json(&proof);
    if (!proof.ok && work->repair) {
        struct error why; /* what could not be put back is found by the second look */
        int repaired = prove_repair(&proof, &why);
        work->repaired = repaired > 0 ? repaired : 0;
        proof_finish(&proof);
        if (prove_once(work, &proof, err))
            return -1;
    }
    work->proof = proof_to_json(&proof);
    return 0;
}

/* It needed more CPUs to start than it may keep. Again after a crash between the two: the guest has not run yet. */
static int settle_emulator(struct work *work, struct error *err)
{
    if (!work->placement || work->threads_only || work->domain.state != DOMAIN_PAUSED)
        return 0;
    struct cpuset first = domain_emulator_at_start(work->placement);
    return cpuset_equal(&first, &work->placement->emulator)
               ? 0
               : hypervisor_pin_emulator(work->hypervisor, work->domain_name, &work->placement->emulator, err);
}

static int take_up(struct work *work, struct error *err)
{
    work->stage = WORK_STAGE_PROOF;
    look(work);
    if (!work->is_observed || work->domain.state == DOMAIN_ABSENT || work->domain.state == DOMAIN_OFF)
        return 0; /* it ended meanwhile: for reconcile to see */
    if (settle_emulator(work, err) || (work->domain.pid > 0 && work->placement && prove(work, err)))
        return -1;
    if (!work->resume || work->domain.state != DOMAIN_PAUSED)
        return 0;
    return hypervisor_resume(work->hypervisor, work->domain_name, err);
}

/* Before anything of the VM is there. */
static int pass_gate(struct work *work, struct error *err)
{
    struct latency_gate *gate = &work->gate;
    if (gate->limit_ns == 0)
        return 0;
    gate->job.host = &work->host->host;
    if (latency_gate_run(gate, err) < 0)
        return -1;
    return gate->is_shut ? fail(err, ERROR_REFUSED, "latency gate: %s", json_text_at(gate->verdict, "message", "")) : 0;
}

static int start(struct work *work, struct error *err)
{
    work->stage = WORK_STAGE_GATE;
    if (pass_gate(work, err))
        return -1;
    work->stage = WORK_STAGE_VOLUMES;
    if (define_and_start(work, err))
        return -1;
    return take_up(work, err);
}

static int clean(struct work *work, struct error *err)
{
    if (hypervisor_undefine(work->hypervisor, work->domain_name, err) ||
        image_release_disks(&work->image, work->namespace_, work->name, work->clean_all, err))
        return -1;
    return file_remove_tree(work->run_dir, err);
}

static int ask_agent(struct work *work, struct error *err)
{
    for (size_t i = 0; i < work->command_count; i++) {
        work->reply[i] = hypervisor_agent(work->hypervisor, work->domain_name, work->command[i], err);
        if (!work->reply[i] && !work->command_is_optional[i])
            return -1;
    }
    return 0;
}

static unsigned disk_of(const struct vm_spec *spec, const char *volume)
{
    unsigned i = 0;
    while (i < spec->disk_count && strcmp(spec->disk[i].name, volume) != 0)
        i++;
    return i;
}

/* One disk more, beside those that are in use. It may be there already, when a daemon was killed before it could note
 * that: then its files are in use, too, and are not made anew. */
static int attach(struct work *work, struct error *err)
{
    char target[DOMAIN_TARGET_MAX];
    int there = hypervisor_disk(work->hypervisor, work->domain_name, work->volume, target, err);
    if (there > 0)
        memcpy(work->target, target, sizeof target);
    if (there != 0)
        return there < 0 ? -1 : 0;
    unsigned index = disk_of(&work->spec, work->volume);
    if (index == work->spec.disk_count)
        return fail(err, ERROR_INVALID, "%s: the volume has no disk", work->volume);
    struct vm_spec only = work->spec; /* borrows everything */
    only.disk = &work->spec.disk[index];
    only.disk_count = 1;
    struct disk_source *source = NULL;
    auto_text xml = {0};
    work->stage = WORK_STAGE_VOLUMES;
    if (image_plan_disks(&work->image, &only, &source, err))
        return -1;
    int r = image_prepare_disks(&work->image, &only, source, tell_progress, work, err);
    work->stage = WORK_STAGE_DOMAIN;
    if (r == 0)
        r = domain_render_disk(&only, source, work->target, &xml, err);
    disk_sources_free(source, 1);
    return r ? -1 : hypervisor_attach(work->hypervisor, work->domain_name, work->volume, text_cstr(&xml), err);
}

static int open_screen(struct work *work, struct error *err)
{
    int fd = work->kind == WORK_SCREEN ? hypervisor_screen(work->hypervisor, work->domain_name, err)
                                       : hypervisor_screenshot(work->hypervisor, work->domain_name, err);
    work->screen_fd = fd > 0 ? fd : 0;
    return fd < 0 ? -1 : 0;
}

static int act(struct work *work, struct error *err)
{
    const char *name = work->domain_name;
    switch (work->kind) {
    case WORK_START:
        return start(work, err);
    case WORK_TAKE_UP:
        return take_up(work, err);
    case WORK_SIGNAL:
        return hypervisor_shutdown(work->hypervisor, name, err);
    case WORK_DESTROY:
        return hypervisor_destroy(work->hypervisor, name, err);
    case WORK_CLEAN:
        return clean(work, err);
    case WORK_PAUSE:
        return hypervisor_pause(work->hypervisor, name, err);
    case WORK_RESUME:
        return hypervisor_resume(work->hypervisor, name, err);
    case WORK_REBOOT:
        return hypervisor_reboot(work->hypervisor, name, err);
    case WORK_RESET:
        return hypervisor_reset(work->hypervisor, name, err);
    case WORK_AGENT:
        return ask_agent(work, err);
    case WORK_SCREEN:
    case WORK_SCREENSHOT:
        return open_screen(work, err);
    case WORK_ATTACH:
        return attach(work, err);
    case WORK_DETACH:
        return hypervisor_detach(work->hypervisor, name, work->volume, err);
    case WORK_KIND_COUNT:
        break;
    }
    return 0;
}

void work_run(struct worker_job *job)
{
    struct work *work = (struct work *)job;
    work->image.lookup = find_lookup;
    work->image.lookup_arg = work;
    work->failed = act(work, &work->err) != 0;
    look(work);
}

void work_free(struct work *work)
{
    free(work->key);
    free(work->namespace_);
    free(work->name);
    free(work->domain_name);
    free(work->volume);
    free((char *)work->run_dir);
    spec_finish(&work->spec);
    free(work->placement);
    page_pool_changes_free(work->growth, work->growth_count);
    json_decref(work->lookups);
    json_decref(work->proof);
    json_decref(work->drift);
    latency_gate_finish(&work->gate);
    text_finish(&work->warnings);
    if (work->screen_fd > 0)
        close(work->screen_fd);
    for (size_t i = 0; i < WORK_COMMANDS_MAX; i++) {
        free(work->command[i]);
        free(work->reply[i]);
    }
    free(work);
}
