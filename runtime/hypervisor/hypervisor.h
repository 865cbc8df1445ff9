/* runtime/hypervisor: what we ask of a hypervisor, answered by libvirt (the only folder that includes it). No
 * decisions here. Domains that do not carry our metadata are invisible: never listed, never touched.
 *
 * Threading: hypervisor_new, _free, and the change callback are of the loop thread; every function marked [blocks]
 * may take seconds and is called from a worker thread (see rtvmd/base/worker.h), one at a time per domain. A lost
 * connection gives ERROR_UNAVAILABLE; the next call reconnects. */
#pragma once

#include "rtvmd/base/loop.h"
#include "runtime/domain/domain.h"

struct hypervisor;

enum domain_state {
    DOMAIN_ABSENT,
    DOMAIN_OFF, /* defined, not running */
    DOMAIN_RUNNING,
    DOMAIN_PAUSED,
    DOMAIN_SHUTTING_DOWN,
    DOMAIN_CRASHED,
    DOMAIN_STATE_COUNT,
};
/* Why it is off, as far as libvirt knows (virDomainShutoffReason), or paused. */
enum domain_reason {
    DOMAIN_REASON_UNKNOWN,
    DOMAIN_REASON_SHUTDOWN,
    DOMAIN_REASON_DESTROYED,
    DOMAIN_REASON_CRASHED,
    DOMAIN_REASON_FAILED,
    DOMAIN_REASON_PAUSED_USER,
    DOMAIN_REASON_PAUSED_IO_ERROR,
    DOMAIN_REASON_PAUSED_STARTING,
};

struct observed_domain {
    struct domain_identity identity;
    enum domain_state state;
    enum domain_reason reason;
    int pid;        /* of QEMU; 0 unknown */
    unsigned user;  /* whom that process runs as */
    bool has_agent; /* guest agent channel connected */
};

/* uri as libvirt's ("qemu:///system", "test:///default"). run_dir is where per-VM sockets live. on_change(arg) is
 * called on the loop thread when any domain may have changed or the connection came or went; it only says "look".
 * The loop may be NULL (no events; verbs). */
struct hypervisor *hypervisor_new(const char *uri, struct loop *loop, void (*on_change)(void *arg), void *arg);
void hypervisor_free(struct hypervisor *hypervisor);

/* [blocks] Versions "9.0.0" of libvirt's daemon and the emulator, and whether host-passthrough KVM and features are
 * there. */
struct hypervisor_facts {
    char libvirt_version[32];
    char qemu_version[32];
    bool kvm;     /* libvirt offers type='kvm' */
    bool is_test; /* test:///: nothing really runs */
};
int hypervisor_facts(struct hypervisor *hypervisor, struct hypervisor_facts *ret_facts, struct error *err);
/* [blocks] CPUs that guests can have under KVM, or emulated, in libvirt's names: {"models": usable ones, "features":
 * the host's, "hostModel", "vendor", "required": features its model has besides}. {} where libvirt does not say. NULL
 * on error; the caller owns it. */
json_t *hypervisor_cpu(struct hypervisor *hypervisor, bool emulated, struct error *err);

/* [blocks] All our domains; *ret_domains is a heap array the caller frees. */
int hypervisor_observe(struct hypervisor *hypervisor, struct observed_domain **ret_domains, size_t *ret_count,
                       struct error *err);
/* [blocks] One of them by the name of the domain: right after a start, when the PID is wanted and a thousand others are
 * not. Not there, or not ours: success with DOMAIN_ABSENT. */
int hypervisor_observe_one(struct hypervisor *hypervisor, const char *name, struct observed_domain *ret_domain,
                           struct error *err);

/* [blocks] The name is NAMESPACE_NAME. start: defines (replacing an inactive definition of ours) and starts, paused if
 * asked. resume after. shutdown: ACPI power button. destroy: at once; a domain that is already gone is success.
 * undefine: keeps NVRAM; missing is success. */
int hypervisor_start(struct hypervisor *hypervisor, const char *xml, bool paused, struct error *err);
int hypervisor_resume(struct hypervisor *hypervisor, const char *name, struct error *err);
int hypervisor_pause(struct hypervisor *hypervisor, const char *name, struct error *err);
/* [blocks] Where QEMU's own threads of a domain that is up may run from now on. */
int hypervisor_pin_emulator(struct hypervisor *hypervisor, const char *name, const struct cpuset *cpus,
                            struct error *err);
int hypervisor_shutdown(struct hypervisor *hypervisor, const char *name, struct error *err);
int hypervisor_reboot(struct hypervisor *hypervisor, const char *name, struct error *err);
int hypervisor_reset(struct hypervisor *hypervisor, const char *name, struct error *err);
int hypervisor_destroy(struct hypervisor *hypervisor, const char *name, struct error *err);
int hypervisor_undefine(struct hypervisor *hypervisor, const char *name, struct error *err);
/* [blocks] The disk of a volume of a running domain: 1 and its device name when it is there, 0 when not. */
int hypervisor_disk(struct hypervisor *hypervisor, const char *name, const char *volume,
                    char ret_target[DOMAIN_TARGET_MAX], struct error *err);
/* [blocks] Gives a running domain one more disk. detach: one that is not there is success; a guest that does not let go
 * in time gives ERROR_UNAVAILABLE. */
int hypervisor_attach(struct hypervisor *hypervisor, const char *name, const char *volume, const char *disk_xml,
                      struct error *err);
int hypervisor_detach(struct hypervisor *hypervisor, const char *name, const char *volume, struct error *err);
/* [blocks] The live XML; the caller frees. */
char *hypervisor_xml(struct hypervisor *hypervisor, const char *name, struct error *err);
/* [blocks] One QEMU guest agent command (JSON) and its answer; the caller frees. */
char *hypervisor_agent(struct hypervisor *hypervisor, const char *name, const char *command, struct error *err);
/* [blocks] A new connection to the domain's first display (VNC): a descriptor the caller closes, or -1. The display
 * needs no socket of its own, so QEMU's user needs no folder of ours. */
int hypervisor_screen(struct hypervisor *hypervisor, const char *name, struct error *err);
/* [blocks] What that display shows now: a file in memory the caller closes, or -1. PNG, or PPM of a QEMU before 7.1. */
int hypervisor_screenshot(struct hypervisor *hypervisor, const char *name, struct error *err);

/* ---- what a running domain has used: what libvirt knows and /proc does not. STATISTIC_UNKNOWN where nobody says. */
#define STATISTIC_UNKNOWN UINT64_MAX
struct disk_statistics {
    char target[16]; /* "vda" */
    uint64_t read_requests, read_bytes, read_ns;
    uint64_t write_requests, write_bytes, write_ns;
    uint64_t flush_requests, flush_ns;
    uint64_t capacity_bytes, allocated_bytes;
};
struct interface_statistics {
    char name[16]; /* of the host's end: "vnet0" */
    uint64_t received_bytes, received_packets, received_errors, received_dropped;
    uint64_t sent_bytes, sent_packets, sent_errors, sent_dropped;
};
struct domain_statistics {
    uint64_t memory_bytes;  /* of the domain */
    uint64_t balloon_bytes; /* what the balloon leaves of it */
    uint64_t available_bytes, unused_bytes, usable_bytes, cached_bytes;
    uint64_t swap_in_bytes, swap_out_bytes, major_faults, minor_faults; /* of the guest, by its balloon driver */
    size_t disk_count;
    struct disk_statistics *disk;
    size_t interface_count;
    struct interface_statistics *interface;
};
void domain_statistics_finish(struct domain_statistics *statistics);
/* [blocks] Of these domains, in their order; one that is gone, or not ours, stays all unknown. Never waits for a domain
 * that is busy, and asks nothing that makes QEMU interrupt its vCPUs. ret_statistics: count entries, each to be
 * finished by the caller. */
int hypervisor_statistics(struct hypervisor *hypervisor, const char *const *names, size_t count,
                          struct domain_statistics *ret_statistics, struct error *err);
