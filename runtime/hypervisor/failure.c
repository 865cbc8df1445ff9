#include "runtime/hypervisor/failure.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Two tables. Codes give the kind, so that a caller can act; words in libvirt's text give the remedy, so that a person
 * can. To teach it a new host problem: one row in REMEDIES. The texts are libvirt 7–11 and QEMU 5–10. */

static const struct {
    int code;
    enum error_kind kind;
} KINDS[] = {
    {VIR_ERR_NO_DOMAIN, ERROR_NOT_FOUND},
    {VIR_ERR_DOM_EXIST, ERROR_ALREADY_EXISTS},
    {VIR_ERR_NO_CONNECT, ERROR_UNAVAILABLE},
    {VIR_ERR_INVALID_CONN, ERROR_UNAVAILABLE},
    {VIR_ERR_RPC, ERROR_UNAVAILABLE},
    {VIR_ERR_AUTH_FAILED, ERROR_FORBIDDEN},
    {VIR_ERR_AUTH_CANCELLED, ERROR_FORBIDDEN},
    {VIR_ERR_AUTH_UNAVAILABLE, ERROR_FORBIDDEN},
    {VIR_ERR_ACCESS_DENIED, ERROR_FORBIDDEN},
    {VIR_ERR_OPERATION_DENIED, ERROR_FORBIDDEN},
    {VIR_ERR_OPERATION_TIMEOUT, ERROR_TIMEOUT},
    {VIR_ERR_OPERATION_INVALID, ERROR_CONFLICT},
    {VIR_ERR_AGENT_UNRESPONSIVE, ERROR_CONFLICT},
    {VIR_ERR_ARGUMENT_UNSUPPORTED, ERROR_CONFLICT},
    {VIR_ERR_RESOURCE_BUSY, ERROR_CONFLICT},
    {VIR_ERR_XML_ERROR, ERROR_INVALID},
    {VIR_ERR_XML_DETAIL, ERROR_INVALID},
    {VIR_ERR_XML_INVALID_SCHEMA, ERROR_INVALID},
    {VIR_ERR_INVALID_ARG, ERROR_INVALID},
    {VIR_ERR_CONFIG_UNSUPPORTED, ERROR_INVALID},
    {VIR_ERR_CPU_INCOMPATIBLE, ERROR_INVALID},
};

/* The first row whose words all occur wins, so the narrower rows stand first. */
static const struct {
    const char *words[2];
    const char *remedy;
} REMEDIES[] = {
    {{"hugetlbfs"},
     "mount a hugetlbfs of that page size (mount -t hugetlbfs -o pagesize=1G none /dev/hugepages1G), then restart "
     "libvirtd: it looks for the mounts when it starts"},
    {{"cannot limit locked memory"},
     "libvirtd may not raise RLIMIT_MEMLOCK: give it CAP_SYS_RESOURCE or an unlimited hard limit (systemd: "
     "LimitMEMLOCK=infinity)"},
    {{"allocate memory", "hugepage"}, "too few free huge pages on the node: reserve more (rtvmd host shows the pools)"},
    {{"os_mem_prealloc"}, "too few free huge pages on the node: reserve more (rtvmd host shows the pools)"},
    {{"preallocate memory"}, "too few free huge pages on the node: reserve more (rtvmd host shows the pools)"},
    {{"unable to map backing store"}, "too few free huge pages on the node: reserve more (rtvmd host shows the pools)"},
    {{"annot set scheduler"},
     "real-time scheduling was refused: libvirtd needs CAP_SYS_NICE and kernel.sched_rt_runtime_us=-1 (rtvmd doctor)"},
    {{"failed to set MSR"},
     "this KVM does not let the guest have a CPU feature that host-passthrough asks for: disable the feature in "
     "spec.domain.cpu.features or run with --emulation"},
    {{"KVM", "Permission denied"}, "QEMU's user may not open /dev/kvm: check its group and mode"},
    {{"failed to initialize kvm"}, "KVM does not work here (rtvmd host says why); --emulation auto runs without it"},
    {{"Could not access KVM"}, "KVM does not work here (rtvmd host says why); --emulation auto runs without it"},
    {{"does not support virtualization type 'kvm'"},
     "KVM does not work here (rtvmd host says why); --emulation auto runs without it"},
    {{"Failed to get", "lock"}, "another process, most likely another VM, has this disk open"},
    {{"cannot set CPU affinity"}, "a CPU of the placement is offline, or outside the cpuset of libvirtd (rtvmd host)"},
    {{"cpuset.cpus"}, "a CPU of the placement is outside the cpuset of libvirt's cgroup (rtvmd doctor)"},
    {{"cpuset.mems"}, "a memory node of the placement is outside the cpuset of libvirt's cgroup (rtvmd doctor)"},
    {{"Permission denied"}, "QEMU runs as the user named in /etc/libvirt/qemu.conf, which needs access to that path"},
    {{"Failed to connect socket"}, "is libvirtd (or virtqemud) running? (systemctl start libvirtd)"},
    {{"CPU is incompatible"}, "this host lacks a feature or model that spec.domain.cpu requires (rtvmd host)"},
};

enum error_kind failure_kind(int code, int domain)
{
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++)
        if (KINDS[i].code == code)
            return KINDS[i].kind;
    /* A broken connection is reported as a system or internal error of the RPC layer. */
    if (domain == VIR_FROM_RPC || domain == VIR_FROM_REMOTE)
        return ERROR_UNAVAILABLE;
    return ERROR_INTERNAL;
}

const char *failure_remedy(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(REMEDIES); i++) {
        const char *const *words = REMEDIES[i].words;
        if (strstr(text, words[0]) && (!words[1] || strstr(text, words[1])))
            return REMEDIES[i].remedy;
    }
    return NULL;
}

int failure_code(void)
{
    virErrorPtr last = virGetLastError();
    return last ? last->code : VIR_ERR_OK;
}

int failure_from_libvirt(struct error *err, const char *format, ...)
{
    char context[256];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    virErrorPtr last = virGetLastError();
    const char *text = last && last->message ? last->message : "libvirt gave no reason";
    const char *remedy = failure_remedy(text);
    fail(err, last ? failure_kind(last->code, last->domain) : ERROR_INTERNAL, "%s: %.600s%s%s", context, text,
         remedy ? ": " : "", remedy ? remedy : "");
    for (char *c = err->text; *c; c++)
        if (*c == '\n') /* what QEMU said in several lines */
            *c = ' ';
    return -1;
}
