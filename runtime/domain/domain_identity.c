/* Whose domain this is: the metadata element written by domain_machine.c, read back. Domains without it are not ours
 * and are never touched, so anything but a complete element is refused. */
#include <stdio.h>
#include <string.h>

#include "runtime/domain/domain.h"
#include "runtime/domain/xml.h"

void domain_name(const char *namespace_, const char *name, struct text *ret_name)
{
    text_printf(ret_name, "%s_%s", namespace_, name);
}

static int copy_attribute(const struct xml_node *node, const char *name, char *value, size_t size, struct error *err)
{
    const char *text = xml_attribute_of(node, name);
    if (!text)
        return fail(err, ERROR_INVALID, "domain metadata: attribute %s is missing", name);
    if (strlen(text) >= size)
        return fail(err, ERROR_INVALID, "domain metadata: attribute %s is longer than %zu bytes", name, size - 1);
    snprintf(value, size, "%s", text);
    return 0;
}

int domain_identity_from_xml(const char *metadata_xml, struct domain_identity *ret_identity, struct error *err)
{
    auto_xml_document *document = xml_read(metadata_xml, strlen(metadata_xml), err);
    if (!document)
        return error_prefix(err, "domain metadata");
    const struct xml_node *vm = xml_root(document);
    /* libvirt looks the element up by its namespace, and gives it back without one */
    const char *space = xml_namespace(vm);
    if (strcmp(xml_name(vm), "vm") != 0 || (*space && strcmp(space, DOMAIN_METADATA_URI) != 0))
        return fail(err, ERROR_INVALID, "domain metadata: <%s> of \"%s\" is not ours", xml_name(vm), xml_namespace(vm));
    struct domain_identity identity = {0};
    const char *generation = xml_attribute_of(vm, "generation");
    uint64_t number;
    if (!generation || !text_to_u64(generation, &number) || number > INT64_MAX)
        return fail(err, ERROR_INVALID, "domain metadata: generation \"%s\" is not a number",
                    generation ? generation : "");
    identity.generation = (int64_t)number;
    if (copy_attribute(vm, "namespace", identity.namespace_, sizeof identity.namespace_, err) < 0 ||
        copy_attribute(vm, "name", identity.name, sizeof identity.name, err) < 0 ||
        copy_attribute(vm, "uid", identity.uid, sizeof identity.uid, err) < 0)
        return -1;
    if (!identity.namespace_[0] || !identity.name[0])
        return fail(err, ERROR_INVALID, "domain metadata: namespace or name is empty");
    *ret_identity = identity;
    return 0;
}

static bool agent_is_connected(const struct xml_node *domain)
{
    for (const struct xml_node *channel = xml_child(domain, "devices/channel"); channel; channel = xml_next(channel)) {
        const struct xml_node *target = xml_child(channel, "target");
        if (text_equal(xml_attribute_of(target, "name"), "org.qemu.guest_agent.0"))
            return text_equal(xml_attribute_of(target, "state"), "connected");
    }
    return false;
}

bool domain_disk_in_xml(const char *domain_xml, const char *volume, char ret_target[DOMAIN_TARGET_MAX],
                        char ret_bus[DOMAIN_TARGET_MAX])
{
    struct error ignored;
    auto_xml_document *document = xml_read(domain_xml, strlen(domain_xml), &ignored);
    auto_free char *alias = must_format("ua-%s", volume);
    const struct xml_node *disk = document ? xml_child(xml_root(document), "devices/disk") : NULL;
    while (disk && !text_equal(xml_attribute_of(xml_child(disk, "alias"), "name"), alias))
        disk = xml_next(disk);
    const struct xml_node *target = disk ? xml_child(disk, "target") : NULL;
    const char *device = xml_attribute_of(target, "dev");
    const char *bus = xml_attribute_of(target, "bus");
    snprintf(ret_target, DOMAIN_TARGET_MAX, "%s", device ? device : "");
    snprintf(ret_bus, DOMAIN_TARGET_MAX, "%s", bus ? bus : "");
    return device != NULL;
}

int domain_summary_from_xml(const char *domain_xml, struct domain_summary *ret_summary, struct error *err)
{
    auto_xml_document *document = xml_read(domain_xml, strlen(domain_xml), err);
    if (!document)
        return error_prefix(err, "domain XML");
    const struct xml_node *domain = xml_root(document);
    const char *name = xml_text_of(xml_child(domain, "name"));
    struct domain_summary summary = {.has_agent = agent_is_connected(domain)};
    if (!*name || strlen(name) >= sizeof summary.name)
        return fail(err, ERROR_INVALID, "domain XML: no name, or one longer than %zu bytes", sizeof summary.name - 1);
    snprintf(summary.name, sizeof summary.name, "%s", name);
    *ret_summary = summary;
    return 0;
}
