#include <libvirt/virterror.h>
#include <string.h>

#include "runtime/hypervisor/connection.h"
#include "runtime/hypervisor/failure.h"

/* Disks that come and go while the domain runs. Only the running domain changes: its definition is made anew for the
 * next start. A disk is known by its alias, which is its volume's name. */

static int find_disk(virDomainPtr domain, const char *volume, char ret_target[DOMAIN_TARGET_MAX],
                     char ret_bus[DOMAIN_TARGET_MAX], struct error *err)
{
    auto_free char *xml = virDomainGetXMLDesc(domain, 0);
    if (!xml)
        return failure_from_libvirt(err, "XML of domain %s", virDomainGetName(domain));
    return domain_disk_in_xml(xml, volume, ret_target, ret_bus);
}

int hypervisor_disk(struct hypervisor *hypervisor, const char *name, const char *volume,
                    char ret_target[DOMAIN_TARGET_MAX], struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    char bus[DOMAIN_TARGET_MAX];
    return domain ? find_disk(domain, volume, ret_target, bus, err) : -1;
}

int hypervisor_attach(struct hypervisor *hypervisor, const char *name, const char *volume, const char *disk_xml,
                      struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return -1;
    if (virDomainAttachDeviceFlags(domain, disk_xml, VIR_DOMAIN_AFFECT_LIVE) == 0)
        return 0;
    return failure_from_libvirt(err, "attach volume %s to domain %s", volume, name);
}

/* libvirt asks the guest, waits some seconds, and says yes whatever came of it: so we look. */
int hypervisor_detach(struct hypervisor *hypervisor, const char *name, const char *volume, struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    char target[DOMAIN_TARGET_MAX];
    char bus[DOMAIN_TARGET_MAX];
    int there = domain ? find_disk(domain, volume, target, bus, err) : -1;
    if (there <= 0)
        return there;
    auto_free char *xml =
        must_format("<disk type='file' device='disk'><source file='/'/><target dev='%s' bus='%s'/></disk>", target,
                    bus); /* libvirt goes by the device name alone */
    if (virDomainDetachDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE) < 0)
        return failure_from_libvirt(err, "detach volume %s from domain %s", volume, name);
    there = find_disk(domain, volume, target, bus, err);
    if (there > 0)
        return fail(err, ERROR_UNAVAILABLE,
                    "detach volume %s from domain %s: the guest has not let go of the disk yet; is it still mounted?",
                    volume, name);
    return there;
}
