/* spec.domain.cpu.realtime.mask: which vCPUs run in real time. */
#pragma once

#include "rtvmd/base/cpuset.h"

/* KubeVirt's grammar (facts 1.4): items between commas, blanks around them ignored: "a-b", "n", "^n". NULL and "" mean
 * all. A "^n" wins wherever it stands; once anything is written, what is not listed is off, so a mask of "^n" only
 * switches all off. A single item with a leading zero names no vCPU (KubeVirt compares text); ids past the last vCPU
 * are fine and name nothing. *ret_vcpus: the enabled ones below vcpu_count.
 * ERROR_INVALID with KubeVirt's sentence, without the field. */
int mask_parse(const char *mask, unsigned vcpu_count, struct cpuset *ret_vcpus, struct error *err);
