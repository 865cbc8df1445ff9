/* runtime/domain: spec + placement → libvirt domain XML. Pure. It decides no placement and talks to nobody; XML is
 * written and read only through xml.h (libxml2). */
#pragma once

#include "rtvmd/base/text.h"
#include "runtime/place/place.h"
#include "runtime/spec/spec.h"

/* Where the bytes of a disk are; made by runtime/image, in the order of spec->disk. */
struct disk_source {
    char *path;         /* NULL: empty tray */
    bool block;         /* a block device rather than a file */
    bool qcow2;         /* else raw */
    char *backing_path; /* NULL: none */
    bool backing_qcow2;
    bool readonly;     /* an ISO made by us */
    bool direct_io;    /* O_DIRECT works there: cache=none by default, else writethrough */
    bool preallocated; /* io=native by default, no discard */
};

struct domain_request {
    const struct host *host;
    const struct vm_spec *spec;
    const struct placement *placement;
    const struct disk_source *disk; /* spec->disk_count entries */
    const char *run_dir;            /* absolute; the socket virt-serial0 and logs of this VM live here */
    const char *kernel_path;        /* firmware.kernelBoot: files out of its container image, or NULL */
    const char *initrd_path;
    bool emulation; /* type='qemu': documented substitutions, each with a warning */
    bool starts;    /* the emulator as domain_emulator_at_start() says; else as the domain runs once it is up */
};

/* One domain element, indented, final newline. Warnings (substitutions, things left out) go to findings. */
int domain_render(const struct domain_request *request, struct text *ret_xml, struct findings *findings,
                  struct error *err);

/* Our metadata in the domain: <rtvmd:vm xmlns:rtvmd="https://rtvmd.io/domain/1" namespace name uid generation/>. */
#define DOMAIN_METADATA_URI "https://rtvmd.io/domain/1"
#define DOMAIN_METADATA_PREFIX "rtvmd"
struct domain_identity {
    char namespace_[LIMIT_NAME_BYTES + 1];
    char name[LIMIT_NAME_BYTES + 1];
    char uid[64];
    int64_t generation;
};
/* Reads the metadata element back (what virDomainGetMetadata returns). ERROR_INVALID when it is not ours. */
int domain_identity_from_xml(const char *metadata_xml, struct domain_identity *ret_identity, struct error *err);
/* What is read from a whole domain element, ours or libvirt's answer: its name, and whether a guest agent is connected
 * (the channel's state, which only the live XML has). ERROR_INVALID when there is no name. */
struct domain_summary {
    char name[2 * LIMIT_NAME_BYTES + 2];
    bool has_agent;
};
int domain_summary_from_xml(const char *domain_xml, struct domain_summary *ret_summary, struct error *err);
/* The address an interface of this VM has: as the spec says, else one of its own that it keeps over restarts. */
enum { DOMAIN_MAC_MAX = 18 };
void domain_mac(const struct vm_spec *spec, const struct vm_interface *interface, char ret_mac[DOMAIN_MAC_MAX]);
/* Where the emulator runs until its domain was started: where it belongs, and where it fills huge pages of nodes on
 * which it has no CPU. libvirt (9.0 and later) has QEMU fill them from threads on the CPUs of their node
 * (thread-context, node-affinity), and QEMU gives up when it may use none of those. */
struct cpuset domain_emulator_at_start(const struct placement *placement);
/* The device name of a disk, by the order of the manifest alone: vda… for virtio, sda… shared by the other buses. */
enum { DOMAIN_TARGET_MAX = 16 };
void domain_disk_target(const struct vm_spec *spec, unsigned disk, char ret_target[DOMAIN_TARGET_MAX]);
/* The element of the only disk of spec under a given device name, to be attached to a running domain; libvirt finds its
 * address. */
int domain_render_disk(const struct vm_spec *spec, const struct disk_source *source, const char *target,
                       struct text *ret_xml, struct error *err);
/* The device name of a volume's disk in a domain's XML; false when it has none. */
bool domain_disk_in_xml(const char *domain_xml, const char *volume, char ret_target[DOMAIN_TARGET_MAX],
                        char ret_bus[DOMAIN_TARGET_MAX]);
/* "NAMESPACE_NAME" */
void domain_name(const char *namespace_, const char *name, struct text *ret_name);
