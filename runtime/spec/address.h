/* Small notations that devices are named by. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* "0000:81:01.0": domain, bus, slot, function. */
bool address_is_pci(const char *text);
/* Bytes of a hardware address as Go's net.ParseMAC reads it: 6, 8 or 20 pairs between ':' or '-', or groups of four
 * digits between dots; 0 when it is none. */
size_t address_mac_length(const char *text);
bool address_is_ipv4(const char *text);
bool address_is_ip(const char *text);
/* Characters libvirt takes in serial numbers: [A-Za-z0-9_.+-]+ */
bool address_is_serial(const char *text);
