#include <ctype.h>
#include <glob.h>

#include "rtvmd/base/file.h"
#include "store/inside.h"
#include "tests/scenario/fake_world.h"
#include "tests/test.h"

/* Text stories (stories/NAME.story): what happens to a host and its VMs, and what is done about it. A line is a
 * command:
 *
 *   apply NAME key=value…         a VM as a client submits it (see world_vm); apply-vmi: a VMI without a VM
 *   at SECONDS                    the clock moves there
 *   expect ACTION NAME, …         exactly this was done to the hypervisor since the last expect
 *   phase|status NAME WORD[|WORD]   of the VMI, "none" when there is none; printableStatus of the VM, where the second
 *                                 word is as good when the daemon was killed: how often it failed before is not kept
 *   claimed NAME yes|no           does it hold a placement
 *   condition NAME TYPE STATUS    of the VMI; "none"
 *   event NAME REASON COUNT       how often in all, over VM and VMI
 *   start|stop|restart|pause|unpause|reset|softreboot NAME [refused|grace=SECONDS|paused]
 *   delete NAME [orphan]          the VM; delete-vmi NAME
 *   crash|poweroff|destroy|undefine|boot|deaf|hear NAME   what a guest, or somebody with virsh, does
 *   drift NAME repairable|stubborn
 *   reboot-host · libvirt down|up · kill · restart-daemon
 *   fail FUNCTION NTH TIMES [KIND] · mend FUNCTION   of the fakes. Who is killed fails as often as before from then on:
 *                                 what a story counts on must fail until it is mended
 *   may-grow                      pools of huge pages may be made larger (the daemon is restarted with it)
 *   pool PAGES                    so many are in the pool, and they are enough for what runs
 *   set-pool PAGES · others-use PAGES   what an administrator, or another program, does
 *
 * Each story is told once as it is; then again and again with the daemon killed at the first, second, … turn of its
 * loop, and in the middle of the first, second, … call to the hypervisor: everything but the trace and the events must
 * come out the same. */

enum { SAMPLE = 8 };

struct telling {
    struct world world;
    const char *file;
    unsigned line;
    bool is_plain; /* not killed: traces and events are checked */
    int64_t begin_s;
    unsigned die_after; /* calls of the fakes; 0: never */
};

static void complain(const struct telling *t, const char *what, const char *found)
{
    printf("# %s:%u (killed at turn %u, call %u): %s, found %s\n", t->file, t->line, t->world.kill_at, t->die_after,
           what, found);
    test_failures++;
}

static struct world *present;

/* A running domain is destroyed only for a VMI that is being deleted, or is over. */
static void only_when_wanted(const char *domain_name)
{
    const char *name = strchr(domain_name, '_') + 1;
    auto_json *vmi = world_get(present, "VirtualMachineInstance", name);
    bool may = !vmi || object_is_deleting(vmi) || vmi_phase_is_final(vmi_status_phase(vmi));
    if (!may)
        fake_complain("%s is destroyed, but nobody wanted it gone", domain_name);
}

static const char *domain_of(const char *name, char buffer[300])
{
    snprintf(buffer, 300, "default_%s", name);
    return buffer;
}

static void note_done(const struct error *failure, void *arg)
{
    *(int *)arg = failure ? 2 : 1;
}

static int act(struct telling *t, enum runtime_action action, const char *name, const char *grace)
{
    int done = 0;
    auto_json *options = json_object();
    if (text_starts_with(grace, "grace=")) {
        json_object_set_new(options, "gracePeriod", json_integer(strtol(grace + 6, NULL, 10)));
        json_object_set_new(options, "gracePeriodSeconds", json_integer(strtol(grace + 6, NULL, 10)));
    }
    if (strcmp(grace, "paused") == 0)
        json_object_set_new(options, "paused", json_true());
    runtime_act(t->world.runtime, action, "default", name, options, note_done, &done);
    unsigned kills = t->world.kills;
    world_settle(&t->world);
    return t->world.kills != kills && done == 0 ? -1 : done;
}

static void do_act(struct telling *t, enum runtime_action action, const char *name, const char *how)
{
    bool refused = strcmp(how, "refused") == 0;
    int done = act(t, action, name, how);
    if (done < 0) { /* the daemon died before it answered: a client asks again, and takes a refusal for an answer */
        act(t, action, name, how);
        return;
    }
    if (t->is_plain && done != (refused ? 2 : 1))
        complain(t, refused ? "wanted a refusal" : "wanted it done",
                 done == 0   ? "no answer"
                 : done == 1 ? "done"
                             : "refusal");
}

static json_t *make_object(const char *kind, const char *name, const char *description)
{
    json_t *vm = world_vm(name, description);
    if (strcmp(kind, "VirtualMachine") == 0)
        return vm;
    json_t *vmi = json_pack("{s:s, s:s, s:O, s:O}", "apiVersion", "kubevirt.io/v1", "kind", kind, "metadata",
                            json_at(vm, "metadata"), "spec", json_at(vm, "spec.template.spec"));
    json_decref(vm);
    return vmi;
}

static void do_apply(struct telling *t, const char *kind, const char *name, const char *description)
{
    for (int try = 0; try < 2; try++) {
        struct error err;
        auto_json *there = world_get(&t->world, kind, name);
        if (there && strcmp(kind, "VirtualMachineInstance") == 0)
            return;
        json_t *vm = make_object(kind, name, description);
        if (there)
            json_object_set(json_object_get(vm, "metadata"), "finalizers", json_at(there, "metadata.finalizers"));
        if (world_apply(&t->world, vm, &err))
            complain(t, "wanted it accepted", err.text);
        unsigned kills = t->world.kills;
        world_settle(&t->world);
        if (t->world.kills == kills)
            return;
    }
}

static void do_delete(struct telling *t, const char *kind, const char *name, bool orphan)
{
    for (int try = 0; try < 2; try++) {
        struct error err;
        unsigned kills = t->world.kills;
        int r = runtime_delete(t->world.runtime, kind, "default", name, -1, orphan, NULL, &err);
        world_settle(&t->world);
        if (t->world.kills == kills) {
            if (r && t->is_plain)
                complain(t, "wanted it deleted", err.text);
            return;
        }
    }
}

static void check_text(const struct telling *t, const char *what, const char *found, const char *wanted)
{
    if (strcmp(found, wanted) == 0)
        return;
    auto_free char *sentence = must_format("%s should be %s", what, wanted);
    complain(t, sentence, found);
}

static void check_phase(struct telling *t, const char *name, const char *wanted)
{
    auto_json *vmi = world_get(&t->world, "VirtualMachineInstance", name);
    check_text(t, name, vmi ? json_text_at(vmi, "status.phase", "") : "none", wanted);
}

static void check_status(struct telling *t, const char *name, const char *wanted)
{
    auto_json *vm = world_get(&t->world, "VirtualMachine", name);
    const char *found = vm ? json_text_at(vm, "status.printableStatus", "") : "none";
    const char *other = strchr(wanted, '|');
    auto_free char *first = must_strndup(wanted, strcspn(wanted, "|"));
    bool is_other = other && !t->is_plain && strcmp(found, other + 1) == 0;
    check_text(t, name, found, is_other ? found : first);
}

static void check_condition(struct telling *t, const char *name, const char *type, const char *wanted)
{
    auto_json *vmi = world_get(&t->world, "VirtualMachineInstance", name);
    const json_t *condition = condition_get(vmi, type);
    check_text(t, type, json_text_at(condition, "status", "none"), wanted);
}

static void check_event(struct telling *t, const char *name, const char *reason, int wanted)
{
    auto_json *events = store_list(t->world.store, "Event", "default", NULL);
    size_t i;
    json_t *event;
    int64_t count = 0;
    json_array_foreach(events, i, event)
    {
        if (strcmp(json_text_at(event, "involvedObject.name", ""), name) == 0 &&
            strcmp(json_text_at(event, "reason", ""), reason) == 0)
            count += json_int_at(event, "count", 0);
    }
    auto_free char *found = must_format("%lld", (long long)count);
    auto_free char *text = must_format("%d", wanted);
    if (t->is_plain)
        check_text(t, reason, found, text);
}

static void check_claimed(struct telling *t, const char *name, const char *wanted)
{
    auto_free char *key = must_format("default/%s", name);
    auto_json *placement = store_claim_placement(t->world.store, key);
    check_text(t, name, placement ? "yes" : "no", wanted);
}

static void check_trace(struct telling *t, const char *wanted)
{
    auto_free char *trace = fake_take_trace();
    if (t->is_plain)
        check_text(t, "the trace", trace, wanted);
}

static enum error_kind kind_from_word(const char *word)
{
    return strcmp(word, "unavailable") == 0 ? ERROR_UNAVAILABLE
           : strcmp(word, "not-found") == 0 ? ERROR_NOT_FOUND
                                            : ERROR_INTERNAL;
}

static bool do_guest(const char *command, const char *name)
{
    char domain[300];
    domain_of(name, domain);
    if (strcmp(command, "crash") == 0)
        fake_end(domain, DOMAIN_OFF, DOMAIN_REASON_CRASHED);
    else if (strcmp(command, "panic") == 0)
        fake_end(domain, DOMAIN_CRASHED, DOMAIN_REASON_CRASHED);
    else if (strcmp(command, "poweroff") == 0)
        fake_end(domain, DOMAIN_OFF, DOMAIN_REASON_SHUTDOWN);
    else if (strcmp(command, "destroy") == 0)
        fake_end(domain, DOMAIN_OFF, DOMAIN_REASON_DESTROYED);
    else if (strcmp(command, "undefine") == 0)
        fake_virsh_undefine(domain);
    else if (strcmp(command, "boot") == 0)
        fake_virsh_start(domain);
    else if (strcmp(command, "deaf") == 0 || strcmp(command, "hear") == 0)
        fake_set_deaf(domain, command[0] == 'd');
    else if (strcmp(command, "agent") == 0)
        fake_set_agent(domain, true);
    else if (strcmp(command, "io-error") == 0)
        fake_pause(domain, DOMAIN_REASON_PAUSED_IO_ERROR);
    else
        return false;
    return true;
}

static bool do_user(struct telling *t, const char *command, const char *name, const char *third)
{
    static const struct {
        const char *word;
        enum runtime_action action;
    } ACTIONS[] = {
        {"start", RUNTIME_VM_START},  {"stop", RUNTIME_VM_STOP},        {"restart", RUNTIME_VM_RESTART},
        {"pause", RUNTIME_VMI_PAUSE}, {"unpause", RUNTIME_VMI_UNPAUSE}, {"softreboot", RUNTIME_VMI_SOFTREBOOT},
        {"reset", RUNTIME_VMI_RESET}, {"freeze", RUNTIME_VMI_FREEZE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ACTIONS); i++)
        if (strcmp(ACTIONS[i].word, command) == 0) {
            do_act(t, ACTIONS[i].action, name, third);
            return true;
        }
    if (strcmp(command, "delete") == 0)
        do_delete(t, "VirtualMachine", name, strcmp(third, "orphan") == 0);
    else if (strcmp(command, "delete-vmi") == 0)
        do_delete(t, "VirtualMachineInstance", name, false);
    else
        return false;
    return true;
}

static bool do_world(struct telling *t, const char *command, const char *second, const char *third, const char *fourth,
                     const char *fifth)
{
    char domain[300];
    if (strcmp(command, "reboot-host") == 0) {
        fake_reboot_host();
        world_kill(&t->world);
    } else if (strcmp(command, "libvirt") == 0) {
        fake_libvirt(strcmp(second, "up") == 0);
    } else if (strcmp(command, "kill") == 0) {
        world_kill(&t->world);
    } else if (strcmp(command, "restart-daemon") == 0) {
        world_restart(&t->world);
    } else if (strcmp(command, "drift") == 0) {
        fake_drift(domain_of(second, domain), strcmp(third, "repairable") == 0);
    } else if (strcmp(command, "fail") == 0) {
        fake_fail(second, (unsigned)strtoul(third, NULL, 10), (unsigned)strtoul(fourth, NULL, 10),
                  kind_from_word(fifth));
    } else if (strcmp(command, "mend") == 0) {
        fake_mend(second);
    } else {
        return false;
    }
    return true;
}

static bool do_pool(struct telling *t, const char *command, const char *second)
{
    uint64_t pages = strtoull(second, NULL, 10);
    if (strcmp(command, "may-grow") == 0) {
        t->world.grows = true;
        world_restart(&t->world);
    } else if (strcmp(command, "set-pool") == 0) {
        fake_pool_set(pages);
    } else if (strcmp(command, "others-use") == 0) {
        fake_pool_use(pages);
    } else if (strcmp(command, "pool") == 0) {
        auto_free char *found = must_format("%llu", (unsigned long long)fake_pool_pages(0));
        check_text(t, "the pool", found, second);
        if (fake_pool_in_use(0) > fake_pool_pages(0))
            complain(t, "wanted the pages of what runs in the pool", found);
    } else {
        return false;
    }
    return true;
}

static bool do_check(struct telling *t, const char *command, const char *second, const char *third, const char *fourth)
{
    if (strcmp(command, "phase") == 0)
        check_phase(t, second, third);
    else if (strcmp(command, "status") == 0)
        check_status(t, second, third);
    else if (strcmp(command, "claimed") == 0)
        check_claimed(t, second, third);
    else if (strcmp(command, "condition") == 0)
        check_condition(t, second, third, fourth);
    else if (strcmp(command, "event") == 0)
        check_event(t, second, third, (int)strtol(fourth, NULL, 10));
    else
        return false;
    return true;
}

static void tell_line(struct telling *t, char *line)
{
    char word[5][64] = {"", "", "", "", ""};
    sscanf(line, "%63s %63s %63s %63s %63s", word[0], word[1], word[2], word[3], word[4]);
    if (!word[0][0] || word[0][0] == '#')
        return;
    if (strcmp(word[0], "at") == 0) {
        int64_t when_s = t->begin_s + strtol(word[1], NULL, 10);
        if (!world_advance(&t->world, when_s - t->world.now_s))
            complain(t, "the daemon should come to rest", "it does not");
    } else if (strcmp(word[0], "expect") == 0) {
        check_trace(t, strcmp(word[1], "nothing") == 0 ? "" : line + strlen("expect "));
    } else if (strcmp(word[0], "apply") == 0) {
        do_apply(t, "VirtualMachine", word[1], line);
    } else if (strcmp(word[0], "apply-vmi") == 0) {
        do_apply(t, "VirtualMachineInstance", word[1], line);
    } else if (!do_guest(word[0], word[1]) && !do_user(t, word[0], word[1], word[2]) &&
               !do_world(t, word[0], word[1], word[2], word[3], word[4]) && !do_pool(t, word[0], word[1]) &&
               !do_check(t, word[0], word[1], word[2], word[3])) {
        complain(t, "a command", word[0]);
    }
    if (!world_settle(&t->world))
        complain(t, "the daemon should come to rest", "it does not");
    if (fake_complaints()[0]) {
        complain(t, "never", fake_complaints());
        fake_reset();
    }
}

static void tell(struct telling *t, const char *story)
{
    unsigned kill_at = t->world.kill_at;
    t->world.grows = false;
    world_open(&t->world, "one-node-8cpu");
    t->world.kill_at = kill_at;
    fake_die_after(t->die_after);
    present = &t->world;
    fake_on_destroy = only_when_wanted;
    t->begin_s = t->world.now_s;
    auto_free char *copy = must_strdup(story);
    t->line = 0;
    for (char *line = copy, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        t->line++;
        tell_line(t, line);
    }
}

static void run_story(const char *file)
{
    struct error err;
    auto_text story = {0};
    test_failures = 0;
    if (file_read(NULL, file, 1u << 20, &story, &err)) {
        printf("# %s\n", err.text);
        test_failures++;
    }
    struct telling plain = {.file = file, .is_plain = true};
    tell(&plain, text_cstr(&story));
    unsigned turns = plain.world.steps, calls = fake_calls();
    world_close(&plain.world);
    unsigned turn_stride = 1, call_stride = 1;
    if (!getenv("SCENARIO_ALL")) { /* a sample in the fast run, everything in `make test` */
        turn_stride += turns / SAMPLE;
        call_stride += calls / SAMPLE;
    }
    for (unsigned turn = 1; turn <= turns && !test_failures; turn += turn_stride) {
        struct telling killed = {.file = file};
        killed.world.kill_at = turn;
        tell(&killed, text_cstr(&story));
        if (killed.world.kills <= plain.world.kills && killed.world.steps >= turn)
            complain(&killed, "the daemon should have been killed", "it lives");
        world_close(&killed.world);
    }
    for (unsigned call = 1; call <= calls && !test_failures; call += call_stride) {
        struct telling killed = {.file = file, .die_after = call};
        tell(&killed, text_cstr(&story));
        if (killed.world.kills <= plain.world.kills && plain.world.kills == 0)
            complain(&killed, "the daemon should have been killed", "it lives");
        world_close(&killed.world);
    }
    const char *name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    printf("%s %d - %s (%u turns, %u calls)\n", test_failures ? "not ok" : "ok", ++test_number, name, turns, calls);
    fflush(stdout);
    test_failed_cases += test_failures > 0;
}

int main(int argc, char **argv)
{
    glob_t stories;
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            run_story(argv[i]);
        return test_end();
    }
    if (glob("tests/scenario/stories/*.story", 0, NULL, &stories) == 0)
        for (size_t i = 0; i < stories.gl_pathc; i++)
            run_story(stories.gl_pathv[i]);
    globfree(&stories);
    return test_end();
}
