/* Inside this room: what the writers of domain_*.c share. The table of rows is in domain.c. */
#pragma once

#include "runtime/domain/domain.h"
#include "runtime/domain/xml.h"

struct domain_build {
    const struct domain_request *request;
    const struct vm_spec *spec;
    const struct placement *placement;
    struct xml *xml;
    struct findings *findings;
    bool failed;
    struct error why; /* the first failure */
    size_t alias_count;
    char **alias; /* taken already: libvirt wants them unique over all devices */
};

/* The writers go on after a failure; domain_render reports the first one. */
void build_fail(struct domain_build *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* A number as text for xml_leaf(); lives as long as the enclosing block. */
enum { BUILD_NUMBER_MAX = 24 };
const char *build_number(uint64_t value, char *buffer);
#define NUMBER(value) build_number((value), (char[BUILD_NUMBER_MAX]){0})

/* <alias name="ua-NAME"/>; a name taken by another device gets underscores after it. */
void build_alias(struct domain_build *b, const char *name);
/* Frees what the build holds. */
void build_finish(struct domain_build *b);
/* <address type="pci" …/> from "0000:81:01.2"; where names the device in the failure. */
void build_pci_address(struct domain_build *b, const char *address, const char *where);
/* "virtio-non-transitional", or as devices.useVirtioTransitional says. */
const char *build_virtio_model(const struct domain_build *b);
bool build_is_x86(const struct domain_build *b);
/* KubeVirt's FeatureState: an object that is there is on unless it says enabled: false. */
bool build_is_enabled(const json_t *feature);
/* What a real-time VM has only when the manifest asks for it by name. */
bool build_has_graphics(const struct domain_build *b);
bool build_has_balloon(const struct domain_build *b);

/* domain_machine.c: identity, firmware, features, clock */
void domain_write_type(struct domain_build *b);
void domain_write_name(struct domain_build *b);
void domain_write_metadata(struct domain_build *b);
void domain_write_sysinfo(struct domain_build *b);
void domain_write_os_type(struct domain_build *b);
void domain_write_os_kernel(struct domain_build *b);
void domain_write_os_boot(struct domain_build *b);
void domain_write_clock(struct domain_build *b);
/* domain_features.c */
void domain_write_features(struct domain_build *b);
void domain_write_hyperv(struct domain_build *b);
void domain_write_kvm(struct domain_build *b);
void domain_write_later_features(struct domain_build *b);
/* domain_memory.c */
void domain_write_memory(struct domain_build *b);
void domain_write_hugepages(struct domain_build *b);
void domain_write_backing(struct domain_build *b);
void domain_write_numatune(struct domain_build *b);
void domain_write_balloon(struct domain_build *b);
/* domain_cpu.c */
void domain_write_vcpus(struct domain_build *b);
void domain_write_iothreads(struct domain_build *b);
void domain_write_vcpu_pins(struct domain_build *b);
void domain_write_emulator_pin(struct domain_build *b);
void domain_write_iothread_pins(struct domain_build *b);
void domain_write_vcpu_scheduler(struct domain_build *b);
void domain_write_cpu_model(struct domain_build *b);
void domain_write_topology(struct domain_build *b);
void domain_write_cpu_features(struct domain_build *b);
void domain_write_cells(struct domain_build *b);
/* domain_disks.c */
void domain_write_disks(struct domain_build *b);
/* domain_network.c */
void domain_write_interfaces(struct domain_build *b);
/* domain_devices.c */
void domain_write_controllers(struct domain_build *b);
void domain_write_serial(struct domain_build *b);
void domain_write_agent(struct domain_build *b);
void domain_write_inputs(struct domain_build *b);
void domain_write_tpm(struct domain_build *b);
void domain_write_graphics(struct domain_build *b);
void domain_write_sound(struct domain_build *b);
void domain_write_watchdog(struct domain_build *b);
void domain_write_rng(struct domain_build *b);
void domain_write_vsock(struct domain_build *b);
