/* Our version, the KubeVirt release whose behavior we follow (what virtctl compares itself with), and the Kubernetes
 * release whose API conventions we speak (what kubectl compares itself with). */
#pragma once

#define RTVMD_VERSION "0.1.0"
#define RTVMD_KUBEVIRT_VERSION "v1.9.0"
#define RTVMD_KUBERNETES_MAJOR "1"
#define RTVMD_KUBERNETES_MINOR "32"
