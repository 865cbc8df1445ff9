/* Interfaces and the networks they are on. */
#include "runtime/spec/fields_rows.h"

#define I "spec.domain.devices.interfaces"
#define N "spec.networks"

static const char GONE[] = "KubeVirt dropped this binding in 1.3; use bridge or masquerade";
static const char HOST_ANSWERS[] = "the host's network answers DHCP";
static const char HOST_ADDRESSES[] = "addresses come from the host's network";

static const struct field ROWS[] = {
    {I, FIELD_OBJECTS, "Network interfaces; each is on the network of the same name",
     .otherwise = "one called default, bridged, unless autoattachPodInterface is false"},
    {I ".name", FIELD_STRING, "The network it is on", NEEDED, RULED},
    {I ".bridge", FIELD_OBJECT, "Attached to a bridge of the host"},
    {I ".masquerade", FIELD_OBJECT, "Behind address translation"},
    {I ".sriov", FIELD_OBJECT, "A virtual function of the host's network card"},
    {I ".passtBinding", FIELD_OBJECT, "User-space networking by passt"},
    {I ".binding", FIELD_OBJECT, "A registered network binding plugin"},
    {I ".binding.name", FIELD_STRING, "Its name", NEEDED},
    {I ".slirp", FIELD_OBJECT, "Old user-space networking", IGNORED(GONE)},
    {I ".passt", FIELD_OBJECT, "Older way to ask for passt", IGNORED(GONE)},
    {I ".macvtap", FIELD_OBJECT, "Direct attachment to a host interface", IGNORED(GONE)},
    {I ".model", FIELD_STRING, "Card the guest sees", .values = "virtio|e1000|e1000e|igb|ne2k_pci|pcnet|rtl8139",
     .otherwise = "virtio", RULED},
    {I ".macAddress", FIELD_STRING, "Hardware address, such as de:ad:00:00:be:ef",
     .otherwise = "made from the VM's uid"},
    {I ".pciAddress", FIELD_STRING, "Fixed PCI address, such as 0000:81:01.0"},
    {I ".bootOrder", FIELD_UINT, "Place in the boot order, from 1; shared with disks"},
    {I ".acpiIndex", FIELD_INT32, "Index the guest derives a stable name from",
     IGNORED("the guest names it by its place")},
    {I ".tag", FIELD_STRING, "Mark the guest finds in its cloud-init data", IGNORED("tags are not passed on")},
    {I ".state", FIELD_STRING, "Whether the link is up", .values = "up|down|absent", .otherwise = "up", RULED},
    {I ".ports", FIELD_OBJECTS, "Ports others may reach: passtBinding opens them on the host"},
    {I ".ports.name", FIELD_STRING, "Name of the port"},
    {I ".ports.port", FIELD_INT32, "Port number", NEEDED, RULED},
    {I ".ports.protocol", FIELD_STRING, "Protocol", .values = "TCP|UDP", .otherwise = "TCP", RULED},
    {I ".portRanges", FIELD_OBJECTS, "Ranges of ports forwarded to the guest", IGNORED("list single ports instead")},
    {I ".portRanges.start", FIELD_INT32, "First port", NEEDED},
    {I ".portRanges.end", FIELD_INT32, "Last port", NEEDED},
    {I ".portRanges.protocol", FIELD_STRING, "Protocol", NEEDED, .values = "TCP|UDP"},
    {I ".dhcpOptions", FIELD_OBJECT, "What DHCP tells the guest", IGNORED(HOST_ANSWERS)},
    {I ".dhcpOptions.bootFileName", FIELD_STRING, "Option 67"},
    {I ".dhcpOptions.tftpServerName", FIELD_STRING, "Option 66"},
    {I ".dhcpOptions.ntpServers", FIELD_STRINGS, "Option 42, IPv4 addresses"},
    {I ".dhcpOptions.privateOptions", FIELD_OBJECTS, "Options 224 to 254"},
    {I ".dhcpOptions.privateOptions.option", FIELD_INT32, "Number", NEEDED},
    {I ".dhcpOptions.privateOptions.value", FIELD_STRING, "Value", NEEDED},
    {N, FIELD_OBJECTS, "Networks the interfaces are on", .otherwise = "one called default, when there is no interface"},
    {N ".name", FIELD_STRING, "Name the interface refers to", NEEDED},
    {N ".pod", FIELD_OBJECT, "The host's default network for VMs"},
    {N ".pod.vmNetworkCIDR", FIELD_STRING, "IPv4 range behind masquerade", IGNORED(HOST_ADDRESSES)},
    {N ".pod.vmIPv6NetworkCIDR", FIELD_STRING, "IPv6 range behind masquerade", IGNORED(HOST_ADDRESSES)},
    {N ".multus", FIELD_OBJECT, "A further network of the host"},
    {N ".multus.networkName", FIELD_STRING, "Its name; the host's bridge or libvirt network of that name", NEEDED,
     RULED},
    {N ".multus.default", FIELD_BOOL, "It replaces the pod network"},
    {N ".resourceClaim", FIELD_OBJECT, "A network device from a resource claim",
     REFUSED("there are no resource claims on one host")},
    {N ".resourceClaim.claimName", FIELD_STRING, "The claim"},
    {N ".resourceClaim.requestName", FIELD_STRING, "Request of that claim"},
};
const struct field_table FIELDS_NETWORK = {ROWS, ARRAY_SIZE(ROWS)};
