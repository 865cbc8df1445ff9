/* One virtual machine as wanted: a KubeVirt VMI spec, decoded, defaults applied. Types only.
 *
 * Strings are borrowed from the JSON document the spec holds a reference to; arrays belong to the spec. "Not said" is
 * NULL, 0 or ANSWER_UNSET as each field tells, never a guess. Units are in the names. */
#pragma once

#include "rtvmd/base/cpuset.h"
#include "rtvmd/base/json.h"
#include "rtvmd/base/limits.h"

enum vm_toggle { VM_UNSET, VM_OFF, VM_ON };

enum vm_disk_device { VM_DISK, VM_LUN, VM_CDROM };
enum vm_volume_kind {
    VM_VOLUME_NONE, /* a cdrom with an empty tray */
    VM_VOLUME_HOST_DISK,
    VM_VOLUME_EMPTY_DISK,
    VM_VOLUME_CONTAINER_DISK,
    VM_VOLUME_CLOUD_INIT_NO_CLOUD,
    VM_VOLUME_CLOUD_INIT_CONFIG_DRIVE,
    VM_VOLUME_PVC,
    VM_VOLUME_DATA_VOLUME,
    VM_VOLUME_EPHEMERAL,
    VM_VOLUME_CONFIG_MAP,
    VM_VOLUME_SECRET,
    VM_VOLUME_DOWNWARD_API,
    VM_VOLUME_SERVICE_ACCOUNT,
    VM_VOLUME_SYSPREP,
    VM_VOLUME_DOWNWARD_METRICS,
    VM_VOLUME_MEMORY_DUMP,
    VM_VOLUME_KIND_COUNT,
};

struct vm_volume {
    const char *name;
    enum vm_volume_kind kind;
    const json_t *source; /* the object under the source key, borrowed: image, path, capacity, userData, … */
};

struct vm_disk {
    const char *name;
    enum vm_disk_device device;
    const char *bus;   /* "virtio", "sata", "scsi", "usb"; defaulted */
    const char *cache; /* NULL: decided from the backing file */
    const char *io;
    const char *error_policy;
    const char *serial;
    const char *pci_address;
    bool readonly;
    bool tray_open; /* of a cdrom */
    bool shareable;
    bool dedicated_iothread;
    unsigned boot_order; /* 0: none */
    uint64_t logical_block_bytes;
    uint64_t physical_block_bytes;
    bool match_volume_block_size;
    int volume; /* index into volumes */
};

enum vm_network_kind { VM_NETWORK_POD, VM_NETWORK_MULTUS };
enum vm_binding { VM_BINDING_BRIDGE, VM_BINDING_MASQUERADE, VM_BINDING_SRIOV, VM_BINDING_PASST, VM_BINDING_PLUGIN };

struct vm_interface {
    const char *name;
    enum vm_binding binding;
    const char *model; /* "virtio" by default */
    const char *mac;   /* NULL: made by us */
    const char *pci_address;
    const char *state; /* NULL, "up", "down", "absent" */
    unsigned boot_order;
    enum vm_network_kind network;
    const char *multus_name;
    const json_t *ports; /* array or NULL */
};

struct vm_cpu_feature {
    const char *name;
    const char *policy; /* NULL: attribute left out */
};

enum vm_iothreads_policy { VM_IOTHREADS_UNSET, VM_IOTHREADS_SHARED, VM_IOTHREADS_AUTO, VM_IOTHREADS_SUPPLEMENTAL };

/* rtvmd.io/… annotations; the first value of each is the default. */
enum vm_smt_policy { VM_SMT_PREFER, VM_SMT_REQUIRE, VM_SMT_ISOLATE };
enum vm_emulator_policy { VM_EMULATOR_HOUSEKEEPING, VM_EMULATOR_DEDICATED, VM_EMULATOR_SIBLING };
/* prefer: the fewest nodes that hold the VM (what a cluster does); strict: one node or refused; spread: all it can. */
enum vm_numa_policy { VM_NUMA_PREFER, VM_NUMA_STRICT, VM_NUMA_SPREAD };
/* Sizes of huge pages, most wanted first. */
struct vm_page_sizes {
    unsigned count;
    uint64_t bytes[1 + LIMIT_VM_OTHER_PAGE_SIZES];
};

enum vm_host_tuning { VM_TUNING_NONE, VM_TUNING_SAFE, VM_TUNING_FULL };

struct vm_spec {
    json_t *document; /* the defaulted VMI object the strings point into; owned */

    const char *name;
    const char *namespace_;
    const char *uid; /* "" before the store gave one */
    int64_t generation;

    /* spec.domain.cpu; topology numbers are >= 1 here */
    unsigned sockets;
    unsigned cores;
    unsigned threads;
    unsigned vcpus;        /* product */
    const char *cpu_model; /* "host-model", "host-passthrough" (a real-time VM that names none), or a name */
    unsigned cpu_feature_count;
    struct vm_cpu_feature *cpu_feature;
    bool dedicated_cpus;
    bool isolate_emulator;
    bool emulator_even_parity; /* alpha.kubevirt.io/EmulatorThreadCompleteToEvenParity */
    bool numa_passthrough;
    bool realtime;
    struct cpuset realtime_vcpus; /* vCPUs the mask enables; empty when !realtime */

    /* memory */
    uint64_t memory_bytes;
    uint64_t hugepage_bytes;    /* 0: ordinary pages */
    bool memfd;                 /* false only by annotation kubevirt.io/memfd: "false" */
    uint64_t request_cpu_milli; /* resources.requests.cpu, else limits.cpu, else 0 */
    uint64_t overhead_bytes;    /* KubeVirt's estimate of what QEMU needs beside guest memory */

    enum vm_iothreads_policy iothreads_policy;
    unsigned supplemental_iothreads;

    /* firmware and machine */
    const char *machine_type;
    const char *architecture; /* "amd64" */
    const char *firmware_uuid;
    const char *firmware_serial;
    bool efi;
    bool secure_boot;
    bool efi_persistent;
    bool bios_serial;
    bool acpi;
    bool smm;
    const json_t *features; /* spec.domain.features, or NULL: hyperv, kvm.hidden, pvspinlock, apic */
    const json_t *clock;    /* spec.domain.clock, or NULL */
    const json_t *kernel_boot;

    /* devices */
    unsigned disk_count;
    struct vm_disk *disk;
    unsigned volume_count;
    struct vm_volume *volume;
    unsigned interface_count;
    struct vm_interface *interface;
    enum vm_toggle graphics; /* unset means on, as in KubeVirt */
    const char *video_model;
    enum vm_toggle serial_console;
    enum vm_toggle mem_balloon;
    enum vm_toggle vsock;
    bool log_serial_console;
    bool block_multi_queue;
    bool interface_multi_queue;
    bool virtio_transitional;
    bool disable_hotplug;
    bool rng;
    bool tpm;
    bool tpm_persistent;
    const json_t *watchdog;
    const json_t *inputs; /* array or NULL */
    const json_t *sound;

    /* life */
    int64_t termination_grace_s; /* default 30 */
    bool start_paused;
    const char *hostname; /* NULL: the name, cut at the first dot */

    /* rtvmd.io annotations */
    enum vm_smt_policy smt_policy;
    enum vm_emulator_policy emulator_policy; /* isolateEmulatorThread makes it dedicated */
    enum vm_numa_policy numa_policy;
    unsigned fifo_priority;                /* of real-time vCPUs; 1 by default */
    uint8_t vcpu_priority[LIMIT_VM_VCPUS]; /* of one vCPU; 0: fifo_priority */
    struct cpuset wanted_cpus;             /* rtvmd.io/cpus; empty: free choice */
    struct cpuset shared_vcpus; /* rtvmd.io/shared-vcpus: float on housekeeping CPUs though cpus are dedicated */
    struct vm_page_sizes other_page_sizes; /* rtvmd.io/page-sizes as written; see demand.sizes */
    enum vm_host_tuning host_tuning;
    uint64_t latency_gate_ns; /* 0: none */
    uint64_t latency_gate_ms; /* how long it measures; 0: not said */
    bool latency_gate_warns;  /* instead of keeping the VM out */
};
