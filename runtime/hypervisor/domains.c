#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "runtime/hypervisor/connection.h"
#include "runtime/hypervisor/failure.h"
#include "runtime/hypervisor/qemu_process.h"

/* Observing and acting, one libvirt call after the other. Acting is idempotent where libvirt is not: what is already
 * so is success, because a step may be repeated after a crash between doing and remembering it. */

static enum domain_state paused_state(int reason, enum domain_reason *ret_reason)
{
    switch (reason) {
    case VIR_DOMAIN_PAUSED_IOERROR:
        *ret_reason = DOMAIN_REASON_PAUSED_IO_ERROR;
        return DOMAIN_PAUSED;
    case VIR_DOMAIN_PAUSED_STARTING_UP:
        *ret_reason = DOMAIN_REASON_PAUSED_STARTING;
        return DOMAIN_PAUSED;
    case VIR_DOMAIN_PAUSED_SHUTTING_DOWN:
        return DOMAIN_SHUTTING_DOWN;
    case VIR_DOMAIN_PAUSED_CRASHED: /* <on_crash>preserve: the guest panicked, QEMU is kept for a look */
        *ret_reason = DOMAIN_REASON_CRASHED;
        return DOMAIN_CRASHED;
    default:
        *ret_reason = DOMAIN_REASON_PAUSED_USER;
        return DOMAIN_PAUSED;
    }
}

static enum domain_reason shutoff_reason(int reason)
{
    switch (reason) {
    case VIR_DOMAIN_SHUTOFF_SHUTDOWN:
    case VIR_DOMAIN_SHUTOFF_SAVED:
    case VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT:
        return DOMAIN_REASON_SHUTDOWN;
    case VIR_DOMAIN_SHUTOFF_DESTROYED:
        return DOMAIN_REASON_DESTROYED;
    case VIR_DOMAIN_SHUTOFF_CRASHED:
        return DOMAIN_REASON_CRASHED;
    case VIR_DOMAIN_SHUTOFF_FAILED:
        return DOMAIN_REASON_FAILED;
    default:
        return DOMAIN_REASON_UNKNOWN;
    }
}

static enum domain_state state_from_libvirt(int state, int reason, enum domain_reason *ret_reason)
{
    *ret_reason = DOMAIN_REASON_UNKNOWN;
    switch (state) {
    case VIR_DOMAIN_PAUSED:
        return paused_state(reason, ret_reason);
    case VIR_DOMAIN_SHUTDOWN:
        return DOMAIN_SHUTTING_DOWN;
    case VIR_DOMAIN_SHUTOFF:
        *ret_reason = shutoff_reason(reason);
        return DOMAIN_OFF;
    case VIR_DOMAIN_CRASHED:
        *ret_reason = DOMAIN_REASON_CRASHED;
        return DOMAIN_CRASHED;
    default: /* running, blocked, suspended by the guest itself */
        return DOMAIN_RUNNING;
    }
}

/* What only a look at the process and the live XML tells; remembered for as long as it holds. */
static struct cached_process inspect(virDomainPtr domain, const struct cached_process *known, size_t known_count)
{
    struct cached_process process = {.id = virDomainGetID(domain)};
    virDomainGetUUID(domain, process.uuid);
    for (size_t i = 0; i < known_count; i++)
        if (known[i].id == process.id && memcmp(known[i].uuid, process.uuid, sizeof process.uuid) == 0)
            process = known[i];
    if (process.pid == 0) {
        char uuid[VIR_UUID_STRING_BUFLEN];
        virDomainGetUUIDString(domain, uuid);
        process.pid = qemu_process_find("", virDomainGetName(domain), uuid);
        process.user = process.pid ? qemu_process_user("", process.pid) : 0;
        auto_free char *xml = virDomainGetXMLDesc(domain, 0);
        struct domain_summary summary;
        struct error ignored;
        process.has_agent = xml && domain_summary_from_xml(xml, &summary, &ignored) == 0 && summary.has_agent;
    }
    return process;
}

/* 1: observed, 0: not ours or gone meanwhile. */
static int observe_state(virDomainPtr domain, struct observed_domain *ret_observed, struct error *err)
{
    int ours = connection_identify(domain, &ret_observed->identity, err);
    if (ours <= 0)
        return ours;
    int state;
    int reason;
    if (virDomainGetState(domain, &state, &reason, 0) < 0)
        return failure_code() == VIR_ERR_NO_DOMAIN
                   ? 0
                   : failure_from_libvirt(err, "state of domain %s", virDomainGetName(domain));
    ret_observed->state = state_from_libvirt(state, reason, &ret_observed->reason);
    return 1;
}

static int observe_all(struct hypervisor *hypervisor, virDomainPtr *domains, int count,
                       struct observed_domain *observed, size_t *ret_count, struct error *err)
{
    size_t known_count;
    unsigned epoch;
    auto_free struct cached_process *known = process_cache_copy(&hypervisor->cache, &known_count, &epoch);
    auto_free struct cached_process *now = must_calloc((size_t)count + 1, sizeof *now);
    size_t now_count = 0;
    for (int i = 0; i < count; i++) {
        struct observed_domain *one = &observed[*ret_count];
        int ours = observe_state(domains[i], one, err);
        if (ours < 0)
            return -1;
        if (ours == 0)
            continue;
        (*ret_count)++;
        if (one->state == DOMAIN_OFF || hypervisor->is_test)
            continue;
        now[now_count] = inspect(domains[i], known, known_count);
        one->pid = now[now_count].pid;
        one->user = now[now_count].user;
        one->has_agent = now[now_count].has_agent;
        now_count++;
    }
    process_cache_replace(&hypervisor->cache, epoch, take(now), now_count);
    return 0;
}

int hypervisor_observe(struct hypervisor *hypervisor, struct observed_domain **ret_domains, size_t *ret_count,
                       struct error *err)
{
    auto_connection connection = connection_get(hypervisor, err);
    if (!connection)
        return -1;
    virDomainPtr *domains;
    int count = virConnectListAllDomains(connection, &domains, 0);
    if (count < 0)
        return failure_from_libvirt(err, "list of domains");
    auto_free struct observed_domain *observed = must_calloc((size_t)count + 1, sizeof *observed);
    *ret_count = 0;
    int result = observe_all(hypervisor, domains, count, observed, ret_count, err);
    for (int i = 0; i < count; i++)
        virDomainFree(domains[i]);
    free(domains);
    if (result == 0)
        *ret_domains = take(observed);
    return result;
}

int hypervisor_observe_one(struct hypervisor *hypervisor, const char *name, struct observed_domain *ret_domain,
                           struct error *err)
{
    *ret_domain = (struct observed_domain){.state = DOMAIN_ABSENT};
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return err->kind == ERROR_NOT_FOUND ? 0 : -1;
    struct observed_domain observed = {0};
    int ours = observe_state(domain, &observed, err);
    if (ours <= 0)
        return ours;
    if (observed.state != DOMAIN_OFF && !hypervisor->is_test) {
        size_t known_count;
        unsigned epoch;
        auto_free struct cached_process *known = process_cache_copy(&hypervisor->cache, &known_count, &epoch);
        struct cached_process process = inspect(domain, known, known_count);
        observed.pid = process.pid;
        observed.user = process.user;
        observed.has_agent = process.has_agent;
    }
    *ret_domain = observed;
    return 0;
}

static void format_version(unsigned long version, char out[32])
{
    snprintf(out, 32, "%lu.%lu.%lu", version / 1000000, version / 1000 % 1000, version % 1000);
}

int hypervisor_facts(struct hypervisor *hypervisor, struct hypervisor_facts *ret_facts, struct error *err)
{
    auto_connection connection = connection_get(hypervisor, err);
    if (!connection)
        return -1;
    unsigned long library;
    unsigned long emulator;
    if (virConnectGetLibVersion(connection, &library) < 0 || virConnectGetVersion(connection, &emulator) < 0)
        return failure_from_libvirt(err, "version of libvirt at %s", hypervisor->uri);
    struct hypervisor_facts facts = {.is_test = hypervisor->is_test};
    format_version(library, facts.libvirt_version);
    format_version(emulator, facts.qemu_version);
    struct utsname machine;
    uname(&machine);
    auto_free char *kvm = virConnectGetDomainCapabilities(connection, NULL, machine.machine, NULL, "kvm", 0);
    facts.kvm = kvm != NULL;
    *ret_facts = facts;
    return 0;
}

static bool is_active(virDomainPtr domain)
{
    return virDomainIsActive(domain) == 1;
}

/* Everything that hangs on the definition goes with it, but firmware variables and TPM state stay: they are the
 * guest's. Older daemons and the test driver know fewer flags. */
static int undefine(virDomainPtr domain, struct error *err)
{
    static const unsigned FLAGS[] = {
        VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
            VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_TPM,
        VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | VIR_DOMAIN_UNDEFINE_KEEP_NVRAM,
        VIR_DOMAIN_UNDEFINE_MANAGED_SAVE,
    };
    for (size_t i = 0; i < ARRAY_SIZE(FLAGS); i++) {
        if (virDomainUndefineFlags(domain, FLAGS[i]) == 0 || failure_code() == VIR_ERR_NO_DOMAIN)
            return 0;
        if (failure_code() != VIR_ERR_INVALID_ARG)
            break;
    }
    return failure_from_libvirt(err, "undefine domain %s", virDomainGetName(domain));
}

/* The name must be free, or hold an inactive definition of ours, which is removed: its UUID may have been another. */
static int make_room(struct hypervisor *hypervisor, virConnectPtr connection, const char *name, struct error *err)
{
    auto_domain existing = virDomainLookupByName(connection, name);
    if (!existing)
        return failure_code() == VIR_ERR_NO_DOMAIN ? 0 : failure_from_libvirt(err, "domain %s", name);
    int ours = connection_identify(existing, NULL, err);
    if (ours < 0)
        return -1;
    if (ours == 0)
        return fail(err, ERROR_CONFLICT,
                    "libvirt at %s has a domain %s that rtvmd did not make: rename one of the two machines",
                    hypervisor->uri, name);
    if (is_active(existing))
        return fail(err, ERROR_ALREADY_EXISTS, "domain %s is running already", name);
    return undefine(existing, err);
}

int hypervisor_start(struct hypervisor *hypervisor, const char *xml, bool paused, struct error *err)
{
    struct domain_summary summary;
    if (domain_summary_from_xml(xml, &summary, err) < 0)
        return -1;
    auto_connection connection = connection_get(hypervisor, err);
    if (!connection || make_room(hypervisor, connection, summary.name, err) < 0)
        return -1;
    auto_domain domain = virDomainDefineXML(connection, xml);
    if (!domain)
        return failure_from_libvirt(err, "define domain %s", summary.name);
    if (virDomainCreateWithFlags(domain, paused ? VIR_DOMAIN_START_PAUSED : 0) < 0) {
        if (!paused || !hypervisor->is_test)
            return failure_from_libvirt(err, "start domain %s", summary.name);
        /* the test driver cannot start paused */
        if (virDomainCreate(domain) < 0 || virDomainSuspend(domain) < 0)
            return failure_from_libvirt(err, "start domain %s paused", summary.name);
    }
    return 0;
}

static int current_state(virDomainPtr domain)
{
    int state;
    return virDomainGetState(domain, &state, NULL, 0) < 0 ? VIR_DOMAIN_NOSTATE : state;
}

int hypervisor_resume(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return -1;
    if (current_state(domain) == VIR_DOMAIN_RUNNING || virDomainResume(domain) == 0)
        return 0;
    return failure_from_libvirt(err, "resume domain %s", name);
}

int hypervisor_pause(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return -1;
    if (current_state(domain) == VIR_DOMAIN_PAUSED || virDomainSuspend(domain) == 0)
        return 0;
    return failure_from_libvirt(err, "pause domain %s", name);
}

int hypervisor_pin_emulator(struct hypervisor *hypervisor, const char *name, const struct cpuset *cpus,
                            struct error *err)
{
    unsigned char map[CPUSET_MAX / 8] = {0};
    struct cpuset_text text;
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return -1;
    cpuset_foreach(cpu, cpus)
    {
        map[cpu / 8] |= (unsigned char)(1u << cpu % 8);
    }
    if (virDomainPinEmulator(domain, map, sizeof map, VIR_DOMAIN_AFFECT_LIVE) == 0)
        return 0;
    return failure_from_libvirt(err, "emulator of domain %s on CPUs %s", name, cpuset_format(cpus, &text));
}

int hypervisor_shutdown(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return -1;
    unsigned flags = hypervisor->is_test ? 0 : VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN;
    if (virDomainShutdownFlags(domain, flags) == 0 || !is_active(domain))
        return 0;
    return failure_from_libvirt(err, "shut down domain %s", name);
}

int hypervisor_reboot(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return -1;
    if (virDomainReboot(domain, 0) == 0) /* the agent when it is connected, else the power button */
        return 0;
    return failure_from_libvirt(err, "reboot domain %s", name);
}

int hypervisor_reset(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return -1;
    if (virDomainReset(domain, 0) == 0)
        return 0;
    return failure_from_libvirt(err, "reset domain %s", name);
}

int hypervisor_destroy(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return err->kind == ERROR_NOT_FOUND ? 0 : -1;
    if (virDomainDestroy(domain) == 0)
        return 0;
    int code = failure_code();
    if (code == VIR_ERR_NO_DOMAIN || code == VIR_ERR_OPERATION_INVALID) /* "domain is not running" */
        return 0;
    return failure_from_libvirt(err, "destroy domain %s", name);
}

int hypervisor_undefine(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return err->kind == ERROR_NOT_FOUND ? 0 : -1;
    return undefine(domain, err);
}

char *hypervisor_xml(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return NULL;
    char *xml = virDomainGetXMLDesc(domain, 0);
    if (!xml)
        failure_from_libvirt(err, "XML of domain %s", name);
    return xml;
}
