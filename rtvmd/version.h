/* Our version, and the KubeVirt release whose behavior we follow (what virtctl compares itself with). */
#pragma once

#define RTVMD_VERSION "0.1.0"
#define RTVMD_KUBEVIRT_VERSION "v1.9.0"
