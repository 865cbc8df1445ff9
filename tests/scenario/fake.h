/* What the scenario tests can do to the world behind the runtime: a hypervisor, volumes and threads that exist in
 * memory only and outlive the daemon. Everything done to them is written into one trace. */
#pragma once

#include "runtime/hypervisor/hypervisor.h"

/* Forgets all domains, faults and the trace. */
void fake_reset(void);
/* What was done since the last call, "start a, resume a"; the caller frees. */
char *fake_take_trace(void);
void fake_trace(const char *format, ...) PRINTF_LIKE(1, 2);
/* Sentences about what must never happen but did ("start of a running domain"); "" when there are none. */
const char *fake_complaints(void);
void fake_complain(const char *format, ...) PRINTF_LIKE(1, 2);
/* Called before a domain is destroyed; complains when it may not be. */
extern void (*fake_on_destroy)(const char *domain_name);

/* The n-th call (1: the next) of a function ("start", "resume", "observe", "prepare", …) fails, and `times`-1 more. */
void fake_fail(const char *function, unsigned nth, unsigned times, enum error_kind kind);
/* From now on it works again. */
void fake_mend(const char *function);
/* After n more calls the process is as good as dead: nothing it calls has an effect. fake_died() says so, and
 * fake_revive() makes the next process live. */
void fake_die_after(unsigned calls);
bool fake_died(void);
void fake_revive(void);
/* false when a fault is due: *err is filled then. */
bool fake_call(const char *function, struct error *err);
unsigned fake_faults_pending(void);
void fake_faults_end(void);
unsigned fake_calls(void); /* since fake_reset() */

/* The loop's timers fire in an order, and in rounds, drawn from this; NULL: in the order of arming. */
void fake_shuffle(unsigned (*random_below)(unsigned limit));

/* The hypervisor. */
void fake_libvirt(bool up);
bool fake_libvirt_is_up(void);
/* Something happens to a running domain by itself, or by virsh. */
void fake_end(const char *domain_name, enum domain_state state, enum domain_reason reason);
void fake_set_deaf(const char *domain_name, bool deaf); /* does not react to the power button */
void fake_set_agent(const char *domain_name, bool connected);
void fake_pause(const char *domain_name, enum domain_reason reason);
void fake_virsh_start(const char *domain_name);
void fake_virsh_undefine(const char *domain_name);
void fake_reboot_host(void);
/* Delivers what the hypervisor has to tell; true when there was anything. */
bool fake_deliver(void);
/* The domain, or NULL. */
const struct observed_domain *fake_domain(const char *domain_name);
void fake_each(void (*callback)(const char *domain_name, const struct observed_domain *domain, void *arg), void *arg);
/* How often the machine of that name was started, in all. */
unsigned fake_starts(const char *domain_name);

/* Disks attached while it ran, "a,b,"; a guest may hold them. */
const char *fake_disks(const char *domain_name);
void fake_hold_disks(const char *domain_name, bool hold);

/* Threads: the process is not as planned; a repair mends it, or does not. */
void fake_drift(const char *domain_name, bool repairable);
bool fake_take_drift(int pid, bool repair);

/* What the next measurements find. */
void fake_latency(uint64_t max_ns, bool real);

/* Volumes: of how many machines there is something on disk. */
bool fake_has_disks(const char *domain_name);
/* What outlives a run: until the VM itself goes. */
bool fake_keeps_disks(const char *domain_name);

/* The pools of huge pages of two nodes: 128 at boot. fake_pool_in_use: by domains. */
enum { FAKE_POOLS = 2 };
uint64_t fake_pool_pages(int node);
uint64_t fake_pool_free(int node);
void fake_pool_set(uint64_t pages); /* of node 0 */
void fake_pool_use(uint64_t pages); /* by somebody else, there */
void fake_pool_reboot(void);
extern uint64_t (*fake_pool_in_use)(int node);
/* They hold, 400 if not said otherwise: memory in one piece is scarce. */
extern uint64_t fake_pool_most[FAKE_POOLS];

/* The files host tuning turns; begun after world_open(), they outlive the daemon. */
void fake_tune_begin(void);
void fake_tune_end(void);
void fake_tune_put(const char *path, const char *text);
void fake_tune_hang(const char *path); /* writes to it never return; "": all do */
char *fake_tune_changed(void);         /* which are not as found, "stat_interval "; the caller frees */
