/* What the daemon gives up, and when. Three stages, in the order serve goes through them; each is irrevocable and
 * inherited by every child.
 *
 *   1. isolate_early()     before anything is read: no new privileges (a setuid child gains nothing), not dumpable
 *                          (no core file with secrets, no attach by others), file mode mask.
 *   2. isolate_capabilities()  after the listeners are open and before there is a second thread (each has sets of its
 *                          own): the bounding and effective sets shrink to what the configuration needs (host tuning
 *                          needs more than running VMs does).
 *   3. isolate_syscalls()  before the first request is read: a seccomp filter refuses (EPERM) what no part of the
 *                          daemon or its children (skopeo, qemu-img) does: loading kernel code, kexec, mounting,
 *                          changing namespaces, tracing, setting clocks, keyrings, bpf, raw I/O ports, reboot.
 *
 * A kernel without seccomp is a warning, not an end; anything else that cannot be given up ends the start. The unit
 * file (dist/rtvmd.service) refuses the same and more from the first instruction on, where systemd starts the daemon.
 */
#pragma once

#include "rtvmd/base/error.h"

int isolate_early(struct error *err);
/* tuning: host tuning is allowed by the configuration. Without CAP_SETPCAP (not root) nothing is to be given up. */
int isolate_capabilities(bool tuning, struct error *err);
int isolate_syscalls(struct error *err);
