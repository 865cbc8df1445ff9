/* Which process is a domain's QEMU? libvirt does not say through its interface, so it is looked for. */
#pragma once

#include "rtvmd/base/base.h"

/* The pid of the QEMU process of this domain, or 0 when it cannot be told. root is put before every path ("" live).
 * Two places are looked at:
 *  1. libvirt's pid file (/run/libvirt/qemu/NAME.pid; for a user's own daemon below XDG_RUNTIME_DIR), when root or we
 *     own it: a few system calls;
 *  2. every process of root, of ours, or of QEMU's user (the owner of /var/lib/libvirt/qemu), for a libvirtd whose
 *     files we do not see. Other users' processes do not count: anybody can write a command line.
 * Either way the command line must name this domain and its UUID. */
int qemu_process_find(const char *root, const char *name, const char *uuid);
/* Whom a process runs as; 0 when it is gone. */
unsigned qemu_process_user(const char *root, int pid);
