#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/scenario/fake.h"

/* runtime/hypervisor/hypervisor.h in memory. Domains live in the "libvirt" below and outlive every hypervisor handle,
 * as real ones outlive the daemon. */

struct domain {
    char *name;
    struct observed_domain seen;
    bool deaf;
    bool drifts;
    bool drift_stays;
    bool holds_disks; /* the guest does not let go */
    char disks[128];  /* names of those attached while it ran: "a,b," */
    unsigned starts;
};

struct hypervisor {
    void (*on_change)(void *arg);
    void *arg;
};

static struct domain *domains;
static size_t domain_count;
static int next_pid;
static bool libvirt_up = true;
static bool has_news;
static struct hypervisor *listener;
void (*fake_on_destroy)(const char *domain_name);
void fake_faults_reset(void);
void fake_image_reset(void);
void fake_pool_reset(void);

void fake_reset(void)
{
    for (size_t i = 0; i < domain_count; i++)
        free(domains[i].name);
    free(take(domains));
    domain_count = 0;
    next_pid = 1000;
    libvirt_up = true;
    has_news = false;
    fake_on_destroy = NULL;
    fake_faults_reset();
    fake_image_reset();
    fake_pool_reset();
}

static struct domain *find(const char *name)
{
    for (size_t i = 0; i < domain_count; i++)
        if (strcmp(domains[i].name, name) == 0)
            return &domains[i];
    return NULL;
}

/* One that is there for libvirt too. */
static struct domain *defined(const char *name)
{
    struct domain *domain = find(name);
    return domain && domain->seen.state != DOMAIN_ABSENT ? domain : NULL;
}

static bool is_up(const struct domain *domain)
{
    return domain && domain->seen.state != DOMAIN_ABSENT && domain->seen.state != DOMAIN_OFF;
}

static void put(struct domain *domain, enum domain_state state, enum domain_reason reason)
{
    domain->seen.state = state;
    domain->seen.reason = reason;
    if (!is_up(domain)) {
        domain->disks[0] = '\0';
        domain->seen.pid = 0;
        domain->seen.has_agent = false;
        domain->drifts = false;
    }
    has_news = true;
}

static const char *short_name(const char *name)
{
    return text_starts_with(name, "default_") ? name + strlen("default_") : name;
}

/* ---- what tests do */
void fake_libvirt(bool up)
{
    libvirt_up = up;
    has_news = true;
}

bool fake_libvirt_is_up(void)
{
    return libvirt_up;
}

void fake_end(const char *name, enum domain_state state, enum domain_reason reason)
{
    struct domain *domain = find(name);
    if (is_up(domain))
        put(domain, state, reason);
}

void fake_set_deaf(const char *name, bool deaf)
{
    find(name)->deaf = deaf;
}

void fake_set_agent(const char *name, bool connected)
{
    find(name)->seen.has_agent = connected;
    has_news = true;
}

void fake_pause(const char *name, enum domain_reason reason)
{
    put(find(name), DOMAIN_PAUSED, reason);
}

void fake_virsh_start(const char *name)
{
    struct domain *domain = find(name);
    if (domain && domain->seen.state == DOMAIN_OFF) {
        put(domain, DOMAIN_RUNNING, DOMAIN_REASON_UNKNOWN);
        domain->seen.pid = ++next_pid;
        domain->starts++;
    }
}

void fake_virsh_undefine(const char *name)
{
    struct domain *domain = find(name);
    if (domain)
        put(domain, DOMAIN_ABSENT, DOMAIN_REASON_UNKNOWN);
}

void fake_reboot_host(void)
{
    fake_pool_reboot();
    for (size_t i = 0; i < domain_count; i++)
        if (is_up(&domains[i]))
            put(&domains[i], DOMAIN_OFF, DOMAIN_REASON_UNKNOWN);
}

bool fake_deliver(void)
{
    bool had = has_news;
    has_news = false;
    if (had && listener && listener->on_change)
        listener->on_change(listener->arg);
    return had;
}

const struct observed_domain *fake_domain(const char *name)
{
    const struct domain *domain = defined(name);
    return domain ? &domain->seen : NULL;
}

void fake_each(void (*callback)(const char *domain_name, const struct observed_domain *domain, void *arg), void *arg)
{
    for (size_t i = 0; i < domain_count; i++)
        if (domains[i].seen.state != DOMAIN_ABSENT)
            callback(domains[i].name, &domains[i].seen, arg);
}

unsigned fake_starts(const char *name)
{
    const struct domain *domain = find(name);
    return domain ? domain->starts : 0;
}

void fake_drift(const char *name, bool repairable)
{
    find(name)->drifts = true;
    find(name)->drift_stays = !repairable;
}

bool fake_take_drift(int pid, bool repair)
{
    for (size_t i = 0; i < domain_count; i++)
        if (domains[i].seen.pid == pid && domains[i].drifts) {
            if (repair && !domains[i].drift_stays)
                domains[i].drifts = false;
            return true;
        }
    return false;
}

/* ---- the front door of runtime/hypervisor */
struct hypervisor *hypervisor_new(const char *uri, struct loop *loop, void (*on_change)(void *arg), void *arg)
{
    (void)uri;
    (void)loop;
    struct hypervisor *hypervisor = must_calloc(1, sizeof *hypervisor);
    *hypervisor = (struct hypervisor){on_change, arg};
    listener = hypervisor;
    return hypervisor;
}

void hypervisor_free(struct hypervisor *hypervisor)
{
    if (listener == hypervisor)
        listener = NULL;
    free(hypervisor);
}

static bool call(const char *function, struct error *err)
{
    if (!fake_call(function, err))
        return false;
    if (libvirt_up)
        return true;
    fail(err, ERROR_UNAVAILABLE, "libvirt is down");
    return false;
}

int hypervisor_facts(struct hypervisor *hypervisor, struct hypervisor_facts *ret_facts, struct error *err)
{
    (void)hypervisor;
    if (!call("facts", err))
        return -1;
    *ret_facts = (struct hypervisor_facts){.libvirt_version = "9.0.0", .qemu_version = "7.2.0", .kvm = true};
    return 0;
}

json_t *hypervisor_cpu(struct hypervisor *hypervisor, bool emulated, struct error *err)
{
    (void)hypervisor;
    (void)err;
    return json_pack("{s:[s, s], s:[s], s:s, s:[], s:s}", "models", "EPYC", "Westmere", "features",
                     emulated ? "emulated" : "avx2", "hostModel", "EPYC", "required", "vendor", "AMD");
}

int hypervisor_observe(struct hypervisor *hypervisor, struct observed_domain **ret_domains, size_t *ret_count,
                       struct error *err)
{
    (void)hypervisor;
    if (!call("observe", err))
        return -1;
    *ret_domains = must_calloc(domain_count + 1, sizeof **ret_domains);
    *ret_count = 0;
    for (size_t i = 0; i < domain_count; i++)
        if (domains[i].seen.state != DOMAIN_ABSENT)
            (*ret_domains)[(*ret_count)++] = domains[i].seen;
    return 0;
}

int hypervisor_observe_one(struct hypervisor *hypervisor, const char *name, struct observed_domain *ret_domain,
                           struct error *err)
{
    (void)hypervisor;
    if (!call("observe one", err))
        return -1;
    const struct domain *domain = defined(name);
    *ret_domain = domain ? domain->seen : (struct observed_domain){.state = DOMAIN_ABSENT};
    return 0;
}

static void read_identity(const char *xml, struct domain_identity *ret_identity)
{
    const char *begin = strstr(xml, "<" DOMAIN_METADATA_PREFIX ":vm");
    const char *end = begin ? strstr(begin, "/>") : NULL;
    struct error err;
    auto_free char *element = end ? must_strndup(begin, (size_t)(end + 2 - begin)) : NULL;
    if (!element || domain_identity_from_xml(element, ret_identity, &err))
        fake_complain("a domain without our metadata is started");
}

static struct domain *add(const char *name)
{
    struct domain *domain = find(name);
    if (domain)
        return domain;
    domains = must_realloc(domains, domain_count + 1, sizeof *domains);
    domain = &domains[domain_count++];
    *domain = (struct domain){.name = must_strdup(name)};
    return domain;
}

int hypervisor_start(struct hypervisor *hypervisor, const char *xml, bool paused, struct error *err)
{
    (void)hypervisor;
    struct domain_summary summary;
    if (domain_summary_from_xml(xml, &summary, err))
        return -1;
    if (is_up(find(summary.name))) {
        if (libvirt_up && !fake_died())
            fake_complain("start of %s, which is running", summary.name);
        return fail(err, ERROR_ALREADY_EXISTS, "domain %s is running already", summary.name);
    }
    if (!call("define", err))
        return -1;
    struct domain *domain = add(summary.name);
    read_identity(xml, &domain->seen.identity);
    put(domain, DOMAIN_OFF, DOMAIN_REASON_UNKNOWN);
    if (!call("start", err)) {
        if (!fake_died())
            put(domain, DOMAIN_OFF, DOMAIN_REASON_FAILED);
        fake_trace("start %s fails", short_name(summary.name));
        return -1;
    }
    put(domain, paused ? DOMAIN_PAUSED : DOMAIN_RUNNING,
        paused ? DOMAIN_REASON_PAUSED_STARTING : DOMAIN_REASON_UNKNOWN);
    domain->seen.pid = ++next_pid;
    domain->starts++;
    fake_trace("start %s", short_name(summary.name));
    return 0;
}

static struct domain *need(const char *function, const char *name, struct error *err)
{
    if (!call(function, err))
        return NULL;
    struct domain *domain = defined(name);
    if (!domain)
        fail(err, ERROR_NOT_FOUND, "domain %s not found", name);
    else
        fake_trace("%s %s", function, short_name(name));
    return domain;
}

static int need_up(const char *function, const char *name, struct domain **ret_domain, struct error *err)
{
    *ret_domain = need(function, name, err);
    if (*ret_domain && !is_up(*ret_domain))
        return fail(err, ERROR_CONFLICT, "domain %s is not running", name);
    return *ret_domain ? 0 : -1;
}

int hypervisor_resume(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    (void)hypervisor;
    struct domain *domain;
    if (need_up("resume", name, &domain, err))
        return -1;
    put(domain, DOMAIN_RUNNING, DOMAIN_REASON_UNKNOWN);
    return 0;
}

int hypervisor_pin_emulator(struct hypervisor *hypervisor, const char *name, const struct cpuset *cpus,
                            struct error *err)
{
    (void)hypervisor;
    struct cpuset_text text;
    struct domain *domain;
    fake_trace("pin emulator %s", cpuset_format(cpus, &text));
    return need_up("pin", name, &domain, err);
}

int hypervisor_pause(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    (void)hypervisor;
    struct domain *domain;
    if (need_up("pause", name, &domain, err))
        return -1;
    put(domain, DOMAIN_PAUSED, DOMAIN_REASON_PAUSED_USER);
    return 0;
}

int hypervisor_shutdown(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    (void)hypervisor;
    struct domain *domain;
    if (need_up("shutdown", name, &domain, err))
        return -1;
    if (!domain->deaf)
        put(domain, DOMAIN_OFF, DOMAIN_REASON_SHUTDOWN);
    return 0;
}

int hypervisor_reboot(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    (void)hypervisor;
    struct domain *domain;
    return need_up("reboot", name, &domain, err);
}

int hypervisor_reset(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    (void)hypervisor;
    struct domain *domain;
    return need_up("reset", name, &domain, err);
}

int hypervisor_destroy(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    (void)hypervisor;
    if (!call("destroy", err))
        return -1;
    struct domain *domain = defined(name);
    if (!is_up(domain))
        return 0;
    if (fake_on_destroy)
        fake_on_destroy(name);
    put(domain, DOMAIN_OFF, DOMAIN_REASON_DESTROYED);
    fake_trace("destroy %s", short_name(name));
    return 0;
}

int hypervisor_undefine(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    (void)hypervisor;
    if (!call("undefine", err))
        return -1;
    struct domain *domain = defined(name);
    if (!domain)
        return 0;
    if (is_up(domain))
        fake_complain("undefine of %s, which is running", name);
    put(domain, DOMAIN_ABSENT, DOMAIN_REASON_UNKNOWN);
    fake_trace("undefine %s", short_name(name));
    return 0;
}

char *hypervisor_xml(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    (void)hypervisor;
    return need("xml", name, err) ? must_strdup("<domain/>") : NULL;
}

char *hypervisor_agent(struct hypervisor *hypervisor, const char *name, const char *command, struct error *err)
{
    (void)hypervisor;
    if (!call("agent", err))
        return NULL;
    if (!is_up(defined(name))) {
        fail(err, ERROR_CONFLICT, "domain %s is not running", name);
        return NULL;
    }
    if (strstr(command, "guest-info"))
        return must_strdup("{\"return\":{\"version\":\"7.2.0\",\"supported_commands\":[{\"name\":\"guest-info\","
                           "\"enabled\":true}]}}");
    if (strstr(command, "guest-fsfreeze")) {
        fake_trace("freeze %s", short_name(name));
        return must_strdup("{\"return\":1}");
    }
    if (strstr(command, "guest-get-osinfo"))
        return must_strdup("{\"return\":{\"id\":\"debian\",\"pretty-name\":\"Debian 12\"}}");
    if (strstr(command, "guest-network-get-interfaces"))
        return must_strdup("{\"return\":[{\"name\":\"lo\"},{\"name\":\"eth0\",\"hardware-address\":"
                           "\"02:00:00:00:00:01\",\"ip-addresses\":[{\"ip-address-type\":\"ipv6\",\"ip-address\":"
                           "\"fe80::1\"},{\"ip-address-type\":\"ipv4\",\"ip-address\":\"10.0.0.7\"}]}]}");
    if (strstr(command, "guest-get-host-name"))
        return must_strdup("{\"return\":{\"host-name\":\"guest-1\"}}");
    if (strstr(command, "guest-get-fsinfo"))
        return must_strdup("{\"return\":[{\"name\":\"vda1\",\"mountpoint\":\"/\",\"type\":\"ext4\",\"used-bytes\":5,"
                           "\"total-bytes\":9,\"disk\":[{\"bus-type\":\"virtio\",\"serial\":\"s1\"}]}]}");
    if (strstr(command, "guest-get-users"))
        return must_strdup("{\"return\":[{\"user\":\"root\",\"login-time\":1.5}]}");
    fail(err, ERROR_INTERNAL, "the agent does not know it");
    return NULL;
}

int hypervisor_screen(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    (void)hypervisor;
    struct domain *domain;
    return need_up("screen", name, &domain, err) ? -1 : dup(STDIN_FILENO);
}

int hypervisor_screenshot(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    return hypervisor_screen(hypervisor, name, err);
}

/* ---- statistics: every domain that is up has the same */
void domain_statistics_finish(struct domain_statistics *statistics)
{
    free(take(statistics->disk));
    statistics->disk_count = 0;
}

int hypervisor_statistics(struct hypervisor *hypervisor, const char *const *names, size_t count,
                          struct domain_statistics *ret_statistics, struct error *err)
{
    (void)hypervisor;
    memset(ret_statistics, 0, count * sizeof *ret_statistics);
    if (!call("statistics", err))
        return -1;
    for (size_t i = 0; i < count; i++)
        if (is_up(defined(names[i]))) {
            ret_statistics[i].memory_bytes = 1 << 30;
            ret_statistics[i].disk = must_calloc(1, sizeof *ret_statistics[i].disk);
            ret_statistics[i].disk_count = 1;
        }
    return 0;
}

/* ---- disks that come and go */
const char *fake_disks(const char *name)
{
    return find(name) ? find(name)->disks : "";
}

void fake_hold_disks(const char *name, bool hold)
{
    find(name)->holds_disks = hold;
}

static char *find_disk(struct domain *domain, const char *volume)
{
    size_t length = strlen(volume);
    for (char *at = domain->disks; *at; at = strchr(at, ',') + 1)
        if (strncmp(at, volume, length) == 0 && at[length] == ',')
            return at;
    return NULL;
}

int hypervisor_disk(struct hypervisor *hypervisor, const char *name, const char *volume,
                    char ret_target[DOMAIN_TARGET_MAX], struct error *err)
{
    (void)hypervisor;
    struct domain *domain;
    if (need_up("disk", name, &domain, err))
        return -1;
    snprintf(ret_target, DOMAIN_TARGET_MAX, "sda");
    return find_disk(domain, volume) != NULL;
}

int hypervisor_attach(struct hypervisor *hypervisor, const char *name, const char *volume, const char *disk_xml,
                      struct error *err)
{
    (void)hypervisor;
    struct domain *domain;
    if (need_up("attach", name, &domain, err))
        return -1;
    if (!strstr(disk_xml, "<disk ") || !strstr(disk_xml, volume))
        fake_complain("attach of something that is no disk of %s", volume);
    if (find_disk(domain, volume))
        fake_complain("%s is attached twice", volume);
    else
        snprintf(domain->disks + strlen(domain->disks), sizeof domain->disks - strlen(domain->disks), "%s,", volume);
    return 0;
}

int hypervisor_detach(struct hypervisor *hypervisor, const char *name, const char *volume, struct error *err)
{
    (void)hypervisor;
    struct domain *domain;
    if (need_up("detach", name, &domain, err))
        return -1;
    if (domain->holds_disks)
        return fail(err, ERROR_UNAVAILABLE, "the guest has not let go");
    char *at = find_disk(domain, volume);
    if (at)
        memmove(at, strchr(at, ',') + 1, strlen(strchr(at, ',')));
    return 0;
}
