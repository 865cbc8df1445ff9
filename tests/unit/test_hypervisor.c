/* The hypervisor room on libvirt's built-in test driver: no daemon, no root. */
#include <libvirt/libvirt.h>

#include "runtime/hypervisor/domains.c"
#include "tests/test.h"

static int changes;

static void count_change(void *arg)
{
    (void)arg;
    changes++;
}

static const char OURS[] =
    "<domain type='test'><name>default_blue</name><memory>65536</memory><os><type>hvm</type></os>"
    "<metadata><rtvmd:vm xmlns:rtvmd='" DOMAIN_METADATA_URI
    "' namespace='default' name='blue' uid='u-1' generation='7'/></metadata></domain>";
static const char FOREIGN[] = "<domain type='test'><name>default_red</name><memory>65536</memory>"
                              "<os><type>hvm</type></os></domain>";

static struct loop *loop;
static struct hypervisor *hypervisor;

static void set_up(void)
{
    loop = loop_new();
    hypervisor = hypervisor_new("test:///default", loop, count_change, NULL);
    changes = 0;
}

static void tear_down(void)
{
    hypervisor_free(hypervisor);
    loop_free(loop);
}

/* Runs the loop until on_change came, at most a second. */
static bool change_comes(void)
{
    int before = changes;
    uint64_t deadline = now_monotonic_ms() + 1000;
    while (changes == before && now_monotonic_ms() < deadline)
        loop_run_once(loop, false);
    return changes > before;
}

/* Lets what is under way arrive, so that the next change_comes() sees a new event. */
static void settle_down(void)
{
    for (int i = 0; i < 20; i++)
        loop_run_once(loop, false);
}

static struct observed_domain look(size_t *ret_count)
{
    struct observed_domain *domains = NULL;
    struct observed_domain first = {0};
    struct error err;
    CHECK_INT(hypervisor_observe(hypervisor, &domains, ret_count, &err), 0);
    if (domains && *ret_count > 0)
        first = domains[0];
    free(domains);
    return first;
}

static void lives_through_define_start_pause_destroy(void)
{
    set_up();
    struct error err;
    size_t count;
    look(&count);
    CHECK_INT(count, 0); /* the test driver's own domain "test" is not ours */
    settle_down();

    CHECK_INT(hypervisor_start(hypervisor, OURS, false, &err), 0);
    CHECK(change_comes());
    settle_down();
    struct observed_domain seen = look(&count);
    CHECK_INT(count, 1);
    CHECK_TEXT(seen.identity.namespace_, "default");
    CHECK_TEXT(seen.identity.name, "blue");
    CHECK_TEXT(seen.identity.uid, "u-1");
    CHECK_INT(seen.identity.generation, 7);
    CHECK_INT(seen.state, DOMAIN_RUNNING);
    CHECK_INT(seen.pid, 0);

    CHECK_INT(hypervisor_pause(hypervisor, "default_blue", &err), 0);
    CHECK(change_comes());
    settle_down();
    CHECK_INT(hypervisor_pause(hypervisor, "default_blue", &err), 0); /* again: already so */
    seen = look(&count);
    CHECK_INT(seen.state, DOMAIN_PAUSED);
    CHECK_INT(seen.reason, DOMAIN_REASON_PAUSED_USER);
    CHECK_INT(hypervisor_resume(hypervisor, "default_blue", &err), 0);
    CHECK_INT(hypervisor_resume(hypervisor, "default_blue", &err), 0);
    settle_down();

    CHECK_INT(hypervisor_observe_one(hypervisor, "default_blue", &seen, &err), 0);
    CHECK_INT(seen.state, DOMAIN_RUNNING);
    CHECK_TEXT(seen.identity.uid, "u-1");
    CHECK_INT(hypervisor_observe_one(hypervisor, "test", &seen, &err), 0); /* there, but not ours */
    CHECK_INT(seen.state, DOMAIN_ABSENT);

    auto_free char *xml = hypervisor_xml(hypervisor, "default_blue", &err);
    CHECK(xml && strstr(xml, "default_blue"));

    CHECK_INT(hypervisor_start(hypervisor, OURS, false, &err), -1);
    CHECK_INT(err.kind, ERROR_ALREADY_EXISTS);

    CHECK_INT(hypervisor_destroy(hypervisor, "default_blue", &err), 0);
    CHECK(change_comes());
    CHECK_INT(hypervisor_destroy(hypervisor, "default_blue", &err), 0);
    seen = look(&count);
    CHECK_INT(seen.state, DOMAIN_OFF);
    CHECK_INT(seen.reason, DOMAIN_REASON_DESTROYED);
    CHECK_INT(hypervisor_undefine(hypervisor, "default_blue", &err), 0);
    CHECK_INT(hypervisor_undefine(hypervisor, "default_blue", &err), 0);
    look(&count);
    CHECK_INT(count, 0);
    tear_down();
}

static void starts_paused_and_replaces_an_inactive_definition(void)
{
    set_up();
    struct error err;
    size_t count;
    CHECK_INT(hypervisor_start(hypervisor, OURS, true, &err), 0);
    CHECK_INT(look(&count).state, DOMAIN_PAUSED);
    CHECK_INT(hypervisor_resume(hypervisor, "default_blue", &err), 0);
    CHECK_INT(hypervisor_shutdown(hypervisor, "default_blue", &err), 0);
    struct observed_domain seen = look(&count);
    CHECK_INT(seen.state, DOMAIN_OFF);
    CHECK_INT(seen.reason, DOMAIN_REASON_SHUTDOWN);
    /* No uuid in OURS: libvirt makes another each time, which defining over the old one would refuse. */
    CHECK_INT(hypervisor_start(hypervisor, OURS, false, &err), 0);
    look(&count);
    CHECK_INT(count, 1);
    CHECK_INT(hypervisor_destroy(hypervisor, "default_blue", &err), 0);
    CHECK_INT(hypervisor_undefine(hypervisor, "default_blue", &err), 0);
    tear_down();
}

static void never_touches_the_domains_of_others(void)
{
    set_up();
    struct error err;
    size_t count;
    look(&count); /* connects */
    virConnectPtr other = virConnectOpen("test:///default");
    virDomainPtr foreign = virDomainCreateXML(other, FOREIGN, 0);
    CHECK(foreign);
    look(&count);
    CHECK_INT(count, 0);
    CHECK_INT(hypervisor_pause(hypervisor, "default_red", &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(hypervisor_destroy(hypervisor, "default_red", &err), 0); /* ours is gone, theirs is not ours */
    CHECK_INT(hypervisor_undefine(hypervisor, "default_red", &err), 0);
    CHECK_INT(virDomainIsActive(foreign), 1);

    static const char CLASH[] = "<domain type='test'><name>test</name><memory>65536</memory><os><type>hvm</type></os>"
                                "</domain>";
    CHECK_INT(hypervisor_start(hypervisor, CLASH, false, &err), -1);
    CHECK_INT(err.kind, ERROR_CONFLICT);
    virDomainDestroy(foreign);
    virDomainFree(foreign);
    virConnectClose(other);
    tear_down();
}

static void says_what_is_wrong_with_a_domain(void)
{
    set_up();
    struct error err;
    CHECK_INT(hypervisor_start(hypervisor, "<domain type='test'><name>default_bad</name></domain>", false, &err), -1);
    CHECK_INT(err.kind, ERROR_INVALID);
    CHECK(strstr(err.text, "default_bad"));
    CHECK_INT(hypervisor_resume(hypervisor, "default_none", &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK(hypervisor_agent(hypervisor, "default_none", "{}", &err) == NULL);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    tear_down();
}

static void tells_facts_and_works_without_a_loop(void)
{
    struct hypervisor *still = hypervisor_new("test:///default", NULL, NULL, NULL);
    struct error err;
    struct hypervisor_facts facts;
    CHECK_INT(hypervisor_facts(still, &facts, &err), 0);
    CHECK(facts.is_test && strchr(facts.libvirt_version, '.'));
    CHECK_INT(hypervisor_start(still, OURS, false, &err), 0);
    CHECK_INT(hypervisor_destroy(still, "default_blue", &err), 0);
    CHECK_INT(hypervisor_undefine(still, "default_blue", &err), 0);
    hypervisor_free(still);
}

static void reconnects_after_a_loss(void)
{
    set_up();
    struct error err;
    size_t count;
    CHECK_INT(hypervisor_start(hypervisor, OURS, false, &err), 0);
    virConnectPtr keeper = virConnectOpen("test:///default"); /* the driver forgets all with its last connection */
    settle_down();
    pthread_mutex_lock(&hypervisor->lock);
    events_unregister(hypervisor, hypervisor->connection);
    virConnectClose(take(hypervisor->connection));
    pthread_mutex_unlock(&hypervisor->lock);
    CHECK_INT(look(&count).state, DOMAIN_RUNNING);
    CHECK(change_comes()); /* "look": something may have happened meanwhile */
    settle_down();
    CHECK_INT(hypervisor_destroy(hypervisor, "default_blue", &err), 0);
    CHECK(change_comes()); /* events of the new connection */
    CHECK_INT(hypervisor_undefine(hypervisor, "default_blue", &err), 0);
    virConnectClose(keeper);
    tear_down();
}

static void names_a_daemon_that_is_not_there(void)
{
    struct hypervisor *absent = hypervisor_new("qemu:///system?socket=/nonexistent/sock", NULL, NULL, NULL);
    struct error err;
    struct observed_domain *domains;
    size_t count;
    CHECK_INT(hypervisor_observe(absent, &domains, &count, &err), -1);
    CHECK_INT(err.kind, ERROR_UNAVAILABLE);
    CHECK(strstr(err.text, "/nonexistent/sock") && strstr(err.text, "is libvirtd"));
    hypervisor_free(absent);
}

struct racer {
    pthread_t thread;
    char name[32];
    int failures;
};

/* A worker thread's life: starts, pauses, destroys a domain of its own, over and over. */
static void *race(void *arg)
{
    struct racer *racer = arg;
    auto_free char *xml =
        must_format("<domain type='test'><name>%s</name><memory>65536</memory><os><type>hvm</type></os>"
                    "<metadata><rtvmd:vm xmlns:rtvmd='" DOMAIN_METADATA_URI
                    "' namespace='n' name='r' uid='u' generation='1'/></metadata></domain>",
                    racer->name);
    struct error err;
    for (int i = 0; i < 25; i++) {
        racer->failures += hypervisor_start(hypervisor, xml, false, &err) < 0;
        racer->failures += hypervisor_pause(hypervisor, racer->name, &err) < 0;
        racer->failures += hypervisor_destroy(hypervisor, racer->name, &err) < 0;
        racer->failures += hypervisor_undefine(hypervisor, racer->name, &err) < 0;
    }
    return NULL;
}

static void serves_threads_while_the_loop_runs(void)
{
    set_up();
    struct racer racers[3];
    for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
        racers[i] = (struct racer){0};
        snprintf(racers[i].name, sizeof racers[i].name, "n_r%zu", i);
        pthread_create(&racers[i].thread, NULL, race, &racers[i]);
    }
    for (int i = 0; i < 200; i++)
        loop_run_once(loop, false);
    for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
        pthread_join(racers[i].thread, NULL);
        CHECK_INT(racers[i].failures, 0);
    }
    CHECK(change_comes() || changes > 0);
    size_t count;
    look(&count);
    CHECK_INT(count, 0);
    tear_down();
}

/* The test driver knows CPU times only: that is enough to see that a domain is asked, a foreign one is not, and one
 * that is gone does no harm. */
static void counts_for_our_domains(void)
{
    set_up();
    struct error err;
    CHECK_INT(hypervisor_start(hypervisor, OURS, false, &err), 0);
    const char *const names[] = {"default_gone", "default_blue", "test"};
    struct domain_statistics statistics[3];
    CHECK_INT(hypervisor_statistics(hypervisor, names, 3, statistics, &err), 0);
    for (size_t i = 0; i < 3; i++) {
        CHECK(statistics[i].memory_bytes == STATISTIC_UNKNOWN);
        CHECK_INT(statistics[i].disk_count, 0);
        domain_statistics_finish(&statistics[i]);
    }
    CHECK_INT(hypervisor_statistics(hypervisor, names, 0, statistics, &err), 0);
    tear_down();
}

/* The test driver plugs nothing: what can be seen is how a volume is looked for, and how a refusal is worded. */
static void looks_for_the_disk_of_a_volume(void)
{
    set_up();
    struct error err;
    char target[DOMAIN_TARGET_MAX];
    CHECK_INT(hypervisor_start(hypervisor, OURS, false, &err), 0);
    CHECK_INT(hypervisor_disk(hypervisor, "default_blue", "data", target, &err), 0);
    CHECK_INT(hypervisor_detach(hypervisor, "default_blue", "data", &err), 0); /* not there: done */
    CHECK_INT(hypervisor_attach(hypervisor, "default_blue", "data", "<disk/>", &err), -1);
    CHECK(strstr(err.text, "attach volume data to domain default_blue") != NULL);
    CHECK_INT(hypervisor_disk(hypervisor, "default_gone", "data", target, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(hypervisor_attach(hypervisor, "test", "data", "<disk/>", &err), -1); /* somebody else's */
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(hypervisor_detach(hypervisor, "test", "data", &err), -1);
    tear_down();
}

static void names_states_and_reasons(void)
{
    enum domain_reason reason;
    CHECK_INT(state_from_libvirt(VIR_DOMAIN_PMSUSPENDED, 0, &reason), DOMAIN_RUNNING);
    CHECK_INT(state_from_libvirt(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, &reason), DOMAIN_PAUSED);
    CHECK_INT(reason, DOMAIN_REASON_PAUSED_IO_ERROR);
    CHECK_INT(state_from_libvirt(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_CRASHED, &reason), DOMAIN_CRASHED);
    CHECK_INT(state_from_libvirt(VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED, &reason), DOMAIN_OFF);
    CHECK_INT(reason, DOMAIN_REASON_CRASHED);
}

static void gives_kinds_and_remedies(void)
{
    CHECK_INT(failure_kind(VIR_ERR_NO_DOMAIN, VIR_FROM_QEMU), ERROR_NOT_FOUND);
    CHECK_INT(failure_kind(VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC), ERROR_UNAVAILABLE);
    CHECK_INT(failure_kind(VIR_ERR_INTERNAL_ERROR, VIR_FROM_QEMU), ERROR_INTERNAL);
    const char *remedy =
        failure_remedy("internal error: hugetlbfs filesystem is not mounted or disabled by administrator");
    CHECK(remedy && strstr(remedy, "mount -t hugetlbfs"));
    remedy = failure_remedy("cannot limit locked memory of process 12 to 123: Operation not permitted");
    CHECK(remedy && strstr(remedy, "CAP_SYS_RESOURCE"));
    CHECK(failure_remedy("something else") == NULL);
}

int main(void)
{
    RUN(lives_through_define_start_pause_destroy);
    RUN(starts_paused_and_replaces_an_inactive_definition);
    RUN(never_touches_the_domains_of_others);
    RUN(says_what_is_wrong_with_a_domain);
    RUN(tells_facts_and_works_without_a_loop);
    RUN(reconnects_after_a_loss);
    RUN(names_a_daemon_that_is_not_there);
    RUN(serves_threads_while_the_loop_runs);
    RUN(counts_for_our_domains);
    RUN(looks_for_the_disk_of_a_volume);
    RUN(names_states_and_reasons);
    RUN(gives_kinds_and_remedies);
    return test_end();
}
