#include <stdlib.h>
#include <string.h>

#include "runtime/inside.h"

/* Looking at what was promised and what is: Placement objects, and the check of every thread on request. */

static json_t *pages_json(const struct store_claim *claim)
{
    json_t *list = json_array();
    for (size_t i = 0; i < claim->page_count; i++)
        json_array_append_new(list, json_pack("{s:i, s:I, s:I}", "node", claim->pages[i].node, "pageBytes",
                                              (json_int_t)claim->pages[i].page_bytes, "pages",
                                              (json_int_t)claim->pages[i].pages));
    return list;
}

static json_t *placement_object(struct runtime *runtime, const struct store_claim *claim)
{
    const char *slash = strchr(claim->owner, '/');
    const char *name = slash ? slash + 1 : claim->owner;
    auto_free char *namespace_ = must_strndup(claim->owner, slash ? (size_t)(slash - claim->owner) : 0);
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", namespace_, name);
    const struct machine *machine = machine_find(runtime, namespace_, name);
    struct cpuset_text cpus;
    json_t *claimed = json_pack("{s:s, s:o, s:I}", "cpus", cpuset_format(&claim->cpus, &cpus), "pages",
                                pages_json(claim), "memoryBytes", (json_int_t)claim->memory_bytes);
    json_t *status =
        json_pack("{s:o, s:s}", "claimed", claimed, "phase", vmi ? vmi_phase_text(vmi_status_phase(vmi)) : "");
    if (machine && machine->proof) {
        char when[TIMESTAMP_TEXT_MAX];
        json_object_set_new(status, "proof", json_deep_copy(machine->proof));
        json_object_set_new(status, "provenAt", json_string(timestamp_format(machine->proved_s, when)));
        json_object_set_new(status, "repaired", json_integer(machine->repaired));
    }
    json_t *metadata = json_pack("{s:s, s:s}", "name", name, "namespace", namespace_);
    if (vmi) {
        json_object_set(metadata, "uid", json_at(vmi, "metadata.uid"));
        json_object_set(metadata, "resourceVersion", json_at(vmi, "metadata.resourceVersion"));
        json_object_set(metadata, "creationTimestamp", json_at(vmi, "metadata.creationTimestamp"));
    }
    return json_pack("{s:s, s:s, s:o, s:O, s:o}", "apiVersion", "rtvmd.io/v1alpha1", "kind", "Placement", "metadata",
                     metadata, "spec", claim->placement, "status", status);
}

struct listing {
    struct runtime *runtime;
    const char *namespace_; /* NULL: all */
    json_t *list;
};

static void add_placement(const struct store_claim *claim, void *arg)
{
    struct listing *listing = arg;
    if (latency_test_has_claim(claim) || strcmp(claim->uid, claim->owner) != 0)
        return; /* of a test; for the next start (reserve.c) */
    size_t length = listing->namespace_ ? strlen(listing->namespace_) : 0;
    if (listing->namespace_ && (strncmp(claim->owner, listing->namespace_, length) != 0 || claim->owner[length] != '/'))
        return;
    json_array_append_new(listing->list, placement_object(listing->runtime, claim));
}

json_t *runtime_placement(struct runtime *runtime, const char *namespace_, const char *name)
{
    struct listing listing = {runtime, namespace_, json_array()};
    if (!name) {
        store_claim_each(runtime->store, add_placement, &listing);
        return listing.list;
    }
    auto_free char *uid = must_format("%s/%s", namespace_, name);
    const struct store_claim *claim = store_claim_find(runtime->store, uid);
    if (claim)
        add_placement(claim, &listing);
    json_t *only = json_incref(json_array_get(listing.list, 0));
    json_decref(listing.list);
    return only;
}

/* ---- verify */
struct verification {
    struct runtime *runtime;
    runtime_answer *answer;
    void *arg;
};

static void verified(struct work *work, const struct error *failure, void *arg)
{
    struct verification *wait = arg;
    struct runtime *runtime = wait->runtime;
    struct error err;
    auto_json *result = json_incref(work->proof);
    if (!failure && !result) {
        fail(&err, ERROR_UNAVAILABLE, "%s has no process to look at (the hypervisor runs nothing)", work->key);
        failure = &err;
    }
    struct machine *machine = machine_by_key(runtime, work->key);
    if (result)
        json_object_set_new(result, "repaired", json_integer(work->repaired));
    if (!failure && machine && strcmp(machine->uid, work->uid) == 0) {
        auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", machine->namespace_, machine->name);
        if (vmi)
            job_record_drift(runtime, vmi, machine->proof, work);
        json_decref(machine->proof);
        machine->proof = json_incref(result);
        machine->proved_s = runtime_now_s(runtime);
        machine->repaired = work->repaired;
        machine_queue(runtime, machine);
    }
    wait->answer(failure ? NULL : result, failure, wait->arg);
    free(wait);
}

static int verify(struct runtime *runtime, const char *namespace_, const char *name, bool repair,
                  runtime_answer *answer, void *arg, struct error *err)
{
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", namespace_, name);
    if (!vmi)
        return fail(err, ERROR_NOT_FOUND, "virtualmachineinstance.kubevirt.io \"%s\" not found", name);
    if (vmi_status_phase(vmi) != VMI_RUNNING)
        return fail(err, ERROR_CONFLICT,
                    "Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io \"%s\": VMI is not running",
                    name);
    struct machine *machine = machine_get(runtime, namespace_, name);
    machine_adopt_uid(machine, json_text_at(vmi, "metadata.uid", ""));
    struct work *work = job_for(runtime, machine, WORK_TAKE_UP, vmi, err);
    if (!work)
        return -1;
    struct verification *wait = must_calloc(1, sizeof *wait);
    *wait = (struct verification){runtime, answer, arg};
    work->resume = false;
    work->repair = repair;
    work->answer = verified;
    work->arg = wait;
    job_send_aside(runtime, work);
    return 0;
}

void runtime_verify(struct runtime *runtime, const char *namespace_, const char *name, bool repair,
                    runtime_answer *answer, void *arg)
{
    struct error err;
    if (verify(runtime, namespace_, name, repair, answer, arg, &err))
        answer(NULL, &err, arg);
}

/* ---- devices a client may talk to */
static const struct device {
    const char *name;
    const char *toggle;
    const char *missing;
} SERIAL = {"serial0", "spec.domain.devices.autoattachSerialConsole", "No serial consoles are present."},
  SCREEN = {"vnc", "spec.domain.devices.autoattachGraphicsDevice", "No graphics devices are present."};

/* The machine, when its VMI runs and has the device. */
static struct machine *machine_with(struct runtime *runtime, const struct device *device, const char *namespace_,
                                    const char *name, struct error *err)
{
    auto_json *vmi = store_get(runtime->store, "VirtualMachineInstance", namespace_, name);
    bool by_default = device != &SCREEN || !json_at(vmi, "spec.domain.cpu.realtime"); /* domain.c: build_has_graphics */
    if (!vmi) {
        fail(err, ERROR_NOT_FOUND, "virtualmachineinstance.kubevirt.io \"%s\" not found", name);
    } else if (!json_bool_at(vmi, device->toggle, by_default)) {
        fail(err, ERROR_BAD_REQUEST, "%s", device->missing);
    } else if (vmi_status_phase(vmi) == VMI_FAILED) {
        fail(err, ERROR_CONFLICT,
             "Operation cannot be fulfilled on virtualmachineinstance.kubevirt.io \"%s\": VMI is in failed status",
             name);
    } else if (vmi_status_phase(vmi) != VMI_RUNNING) {
        fail(err, ERROR_BAD_REQUEST, "VMI is not running");
    } else {
        struct machine *machine = machine_get(runtime, namespace_, name);
        machine_adopt_uid(machine, json_text_at(vmi, "metadata.uid", ""));
        return machine;
    }
    return NULL;
}

char *runtime_socket(struct runtime *runtime, const char *namespace_, const char *name, const char *device,
                     struct error *err)
{
    if (strcmp(device, SERIAL.name) != 0) {
        fail(err, ERROR_BAD_REQUEST, "device %s: there is %s", device, SERIAL.name);
        return NULL;
    }
    struct machine *machine = machine_with(runtime, &SERIAL, namespace_, name, err);
    if (!machine)
        return NULL;
    auto_free char *dir = job_run_dir(runtime, machine);
    return must_format("%s/virt-serial0", dir);
}

struct screen_wait {
    runtime_stream *answer;
    void *arg;
};

static void screen_opened(struct work *work, const struct error *failure, void *arg)
{
    struct screen_wait *wait = arg;
    int fd = work->screen_fd;
    work->screen_fd = 0;
    wait->answer(failure ? -1 : fd, failure, wait->arg);
    free(wait);
}

static void ask_screen(struct runtime *runtime, const char *namespace_, const char *name, enum work_kind kind,
                       runtime_stream *answer, void *arg)
{
    struct error err;
    struct machine *machine = machine_with(runtime, &SCREEN, namespace_, name, &err);
    if (!machine) {
        answer(-1, &err, arg);
        return;
    }
    struct screen_wait *wait = must_calloc(1, sizeof *wait);
    *wait = (struct screen_wait){answer, arg};
    struct work *work = job_new(runtime, machine, kind);
    work->answer = screen_opened;
    work->arg = wait;
    job_send_aside(runtime, work);
}

void runtime_screen(struct runtime *runtime, const char *namespace_, const char *name, runtime_stream *answer,
                    void *arg)
{
    ask_screen(runtime, namespace_, name, WORK_SCREEN, answer, arg);
}

void runtime_screenshot(struct runtime *runtime, const char *namespace_, const char *name, runtime_stream *answer,
                        void *arg)
{
    ask_screen(runtime, namespace_, name, WORK_SCREENSHOT, answer, arg);
}
