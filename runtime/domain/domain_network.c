/* <interface>: KubeVirt's bindings on a host without a cluster network.
 *
 * The pod network becomes QEMU's user-mode network: it needs no plumbing and no privileges, gives the guest an address
 * by DHCP and lets it out; nothing gets in by itself. That is what masquerade promises, less the incoming ports, and
 * for a bridge binding the nearest thing one host can offer. Real networks are multus networks, whose networkName says
 * what to join on this host:
 *   bridge:NAME            a Linux bridge
 *   network:NAME, NAME     a libvirt network (NAMESPACE/NAME: the namespace is dropped)
 *   pci:0000:81:01.2       for the sriov binding: this virtual function; a libvirt network of VFs works as well
 * User-mode networking runs in QEMU's main loop, so on housekeeping CPUs like every other QEMU thread. */
#include <stdio.h>
#include <string.h>

#include "runtime/domain/build.h"

/* Where an interface is attached. */
struct attachment {
    const char *type;             /* of <interface> */
    const char *source_attribute; /* NULL: no <source> */
    const char *source;
};

static struct attachment interface_attachment(const struct vm_interface *interface)
{
    if (interface->network == VM_NETWORK_POD)
        return (struct attachment){.type = "user"};
    const char *name = interface->multus_name ? interface->multus_name : "";
    if (text_starts_with(name, "bridge:"))
        return (struct attachment){"bridge", "bridge", name + strlen("bridge:")};
    if (text_starts_with(name, "pci:"))
        return (struct attachment){"hostdev", NULL, name + strlen("pci:")};
    if (text_starts_with(name, "network:"))
        name += strlen("network:");
    const char *slash = strrchr(name, '/');
    return (struct attachment){"network", "network", slash ? slash + 1 : name};
}

/* A guest keeps its address over restarts, and two hosts running one manifest do not collide: the MAC follows from the
 * uid of the VM (or of a VMI that has none). FNV-1a; the first byte says locally administered. */
void domain_mac(const struct vm_spec *spec, const struct vm_interface *interface, char ret_mac[DOMAIN_MAC_MAX])
{
    if (interface->mac && interface->mac[0]) {
        snprintf(ret_mac, DOMAIN_MAC_MAX, "%s", interface->mac);
        return;
    }
    const char *uid = json_text_at(spec->document, "metadata.ownerReferences.0.uid", spec->uid);
    const char *parts[] = {spec->namespace_, spec->name, uid, interface->name};
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        for (const char *p = parts[i] ? parts[i] : "";; p++) {
            hash = (hash ^ (unsigned char)*p) * 1099511628211u;
            if (!*p)
                break;
        }
    snprintf(ret_mac, DOMAIN_MAC_MAX, "02:%02x:%02x:%02x:%02x:%02x", (unsigned)(hash >> 32) & 0xff,
             (unsigned)(hash >> 24) & 0xff, (unsigned)(hash >> 16) & 0xff, (unsigned)(hash >> 8) & 0xff,
             (unsigned)hash & 0xff);
}

static void write_mac(struct domain_build *b, const struct vm_interface *interface)
{
    char mac[DOMAIN_MAC_MAX];
    domain_mac(b->spec, interface, mac);
    xml_leaf(b->xml, "mac", "address", mac);
}

static void write_source(struct domain_build *b, const struct vm_interface *interface, const struct attachment *at)
{
    if (strcmp(at->type, "hostdev") == 0) {
        xml_attribute(b->xml, "managed", "yes");
        xml_open(b->xml, "source");
        build_pci_address(b, at->source, interface->name);
        xml_close(b->xml);
    } else if (at->source_attribute) {
        xml_leaf(b->xml, "source", at->source_attribute, at->source);
    }
}

/* passt: like user-mode networking, in a process of its own, and the listed ports come in from the host. */
static void write_passt(struct domain_build *b, const struct vm_interface *interface)
{
    if (interface->binding != VM_BINDING_PASST)
        return;
    xml_open(b->xml, "backend");
    xml_attribute(b->xml, "type", "passt");
    xml_attribute_format(b->xml, "logFile", "%s/passt-%s.log", b->request->run_dir, interface->name);
    xml_close(b->xml);
    size_t i;
    json_t *port;
    json_array_foreach(interface->ports, i, port)
    {
        const char *protocol = json_text_at(port, "protocol", "TCP");
        xml_open(b->xml, "portForward");
        xml_attribute(b->xml, "proto", strcmp(protocol, "UDP") == 0 ? "udp" : "tcp");
        xml_leaf(b->xml, "range", "start", NUMBER((uint64_t)json_int_at(port, "port", 0)));
        xml_close(b->xml);
    }
}

static void write_model(struct domain_build *b, const struct vm_interface *interface, const struct attachment *at)
{
    const char *model = interface->model && interface->model[0] ? interface->model : "virtio";
    bool virtio = strcmp(model, "virtio") == 0;
    if (interface->binding == VM_BINDING_SRIOV)
        return;
    xml_leaf(b->xml, "model", "type", virtio ? build_virtio_model(b) : model);
    bool has_queues = strcmp(at->type, "bridge") == 0 || strcmp(at->type, "network") == 0;
    if (virtio && b->spec->interface_multi_queue && has_queues)
        xml_leaf(b->xml, "driver", "name", "vhost", "queues", NUMBER(b->spec->vcpus < 256 ? b->spec->vcpus : 256));
}

static void check_attachment(struct domain_build *b, const struct vm_interface *interface, const struct attachment *at)
{
    bool whole_device = strcmp(at->type, "hostdev") == 0;
    if (interface->network == VM_NETWORK_MULTUS && !whole_device && (!at->source || !at->source[0]))
        build_fail(
            b, "interface %s: multus.networkName \"%.100s\" names no network; use bridge:NAME, network:NAME or NAME",
            interface->name, interface->multus_name ? interface->multus_name : "");
    if (whole_device && interface->binding != VM_BINDING_SRIOV)
        build_fail(b, "interface %s: multus.networkName \"%.100s\" is a PCI device, which needs the sriov binding",
                   interface->name, interface->multus_name);
    if (interface->binding == VM_BINDING_SRIOV && interface->network == VM_NETWORK_POD)
        build_fail(
            b,
            "interface %s: the sriov binding needs a multus network whose networkName is pci:ADDRESS or a libvirt "
            "network of virtual functions",
            interface->name);
}

static void write_interface(struct domain_build *b, const struct vm_interface *interface)
{
    struct attachment at = interface_attachment(interface);
    check_attachment(b, interface, &at);
    xml_open(b->xml, "interface");
    xml_attribute(b->xml, "type", at.type);
    write_source(b, interface, &at);
    write_mac(b, interface);
    write_passt(b, interface);
    write_model(b, interface, &at);
    if (text_equal(interface->state, "down"))
        xml_leaf(b->xml, "link", "state", "down");
    if (interface->boot_order > 0)
        xml_leaf(b->xml, "boot", "order", NUMBER(interface->boot_order));
    else if (interface->binding != VM_BINDING_SRIOV)
        xml_leaf(b->xml, "rom", "enabled", "no");
    build_alias(b, interface->name);
    if (interface->pci_address && interface->pci_address[0])
        build_pci_address(b, interface->pci_address, interface->name);
    xml_close(b->xml);
}

void domain_write_interfaces(struct domain_build *b)
{
    bool pod_said = false;
    for (unsigned i = 0; i < b->spec->interface_count; i++) {
        const struct vm_interface *interface = &b->spec->interface[i];
        if (text_equal(interface->state, "absent"))
            continue;
        if (interface->network == VM_NETWORK_POD && interface->binding != VM_BINDING_PASST && interface->ports)
            findings_warn(b->findings, "interface %s: its ports are not opened on the host; passtBinding does that",
                          interface->name);
        if (interface->network == VM_NETWORK_POD && interface->binding != VM_BINDING_PASST && !pod_said) {
            findings_warn(b->findings,
                          "interface %s: the pod network is user-mode networking on this host: the guest "
                          "gets out, nobody gets in; for more use a multus network bridge:NAME",
                          interface->name);
            pod_said = true;
        }
        write_interface(b, interface);
    }
}
