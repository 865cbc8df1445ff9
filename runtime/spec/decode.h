/* The parts of decoding, a file each; spec_decode in decode.c runs them. */
#pragma once

#include "runtime/spec/spec.h"

/* All take the VMI's spec; the first error ends it. */
int decode_resources(const json_t *spec, struct vm_spec *ret_spec, struct error *err);
int decode_devices(const json_t *spec, struct vm_spec *ret_spec, struct error *err);

/* KubeVirt's estimate of the ordinary memory QEMU and its helpers need beside guest memory (facts 3.4). */
uint64_t overhead_estimate(const json_t *spec, const struct vm_spec *vm);

/* Bytes of a quantity as KubeVirt hands them to libvirt: a fraction of a byte is dropped. */
int decode_bytes(const json_t *value, const char *field, uint64_t *ret_bytes, struct error *err);
