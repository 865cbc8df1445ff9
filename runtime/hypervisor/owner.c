#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/domain/xml.h"
#include "runtime/hypervisor/connection.h"
#include "runtime/hypervisor/failure.h"

/* As whom QEMU runs. libvirt tells it in its capabilities: host/secmodel of model "dac" has a base label "+UID:+GID"
 * per type of domain. It does not change while libvirtd runs, so one answer per connection is enough. */

static int read_label(const char *label, struct hypervisor_owner *ret_owner)
{
    char *rest;
    if (label[0] != '+')
        return -1;
    ret_owner->uid = (int64_t)strtoll(label + 1, &rest, 10);
    if (rest[0] != ':' || rest[1] != '+')
        return -1;
    ret_owner->gid = (int64_t)strtoll(rest + 2, &rest, 10);
    return *rest ? -1 : 0;
}

static void find_label(const char *capabilities, struct hypervisor_owner *ret_owner)
{
    struct error ignored;
    auto_xml_document *document = xml_read(capabilities, strlen(capabilities), &ignored);
    if (!document)
        return;
    const struct xml_node *model = xml_child(xml_root(document), "host/secmodel");
    for (; model; model = xml_next(model)) {
        if (strcmp(xml_text_of(xml_child(model, "model")), "dac") != 0)
            continue;
        struct hypervisor_owner owner = {-1, -1};
        if (read_label(xml_text_of(xml_child(model, "baselabel")), &owner) == 0)
            *ret_owner = owner;
        return;
    }
}

int hypervisor_owner(struct hypervisor *hypervisor, struct hypervisor_owner *ret_owner, struct error *err)
{
    pthread_mutex_lock(&hypervisor->lock);
    bool known = hypervisor->owner_is_known;
    *ret_owner = known ? hypervisor->owner : (struct hypervisor_owner){-1, -1};
    pthread_mutex_unlock(&hypervisor->lock);
    if (known)
        return 0;
    auto_connection connection = connection_get(hypervisor, err);
    if (!connection)
        return -1;
    auto_free char *capabilities = virConnectGetCapabilities(connection);
    if (!capabilities)
        return failure_from_libvirt(err, "capabilities of libvirt at %s", hypervisor->uri);
    find_label(capabilities, ret_owner);
    pthread_mutex_lock(&hypervisor->lock);
    hypervisor->owner = *ret_owner;
    hypervisor->owner_is_known = true;
    pthread_mutex_unlock(&hypervisor->lock);
    return 0;
}
