/* Every limit of the program, named once: sizes, depths, counts and time-outs. What a limit guards is said here;
 * the message that names it is made where it is enforced, and a test goes one past each. */
#pragma once

/* Manifests and other documents (bytes, nesting, nodes of the parsed tree). */
#define LIMIT_MANIFEST_BYTES (3u << 20) /* as a Kubernetes API server: 3 MiB */
#define LIMIT_MANIFEST_DEPTH 64u
#define LIMIT_MANIFEST_NODES 200000u
#define LIMIT_MANIFEST_DOCUMENTS 1000u

/* One virtual machine. */
#define LIMIT_VM_OTHER_PAGE_SIZES 3u /* that rtvmd.io/page-sizes allows beside hugepages.pageSize */
#define LIMIT_VM_VCPUS 512u          /* KubeVirt's own maximum of vCPUs */
#define LIMIT_VM_DISKS 256u          /* CRD caps of KubeVirt */
#define LIMIT_VM_INTERFACES 256u
#define LIMIT_VM_IOTHREADS 64u
#define LIMIT_CLOUD_INIT_INLINE_BYTES 2048u /* KubeVirt: user data or network data written in the manifest */
#define LIMIT_FIFO_PRIORITY 98u             /* 99 is what the kernel's own migration and watchdog threads run at */
#define LIMIT_LATENCY_GATE_NS 1000000000u   /* a gate wider than a second gates nothing */
#define LIMIT_CAUSES 1000u                  /* causes kept per object; KubeVirt prints ten */

/* Host. CPUs are bounded by CPUSET_MAX. */
#define LIMIT_HOST_NODES 128u
#define LIMIT_PLACE_NODE_SETS 20000u /* sets of nodes tried for one placement: all of them up to 14 nodes */
#define LIMIT_HOST_PAGE_SIZES 8u
#define LIMIT_SYSFILE_BYTES (8u << 20) /* /proc/interrupts of a large host: some MiB */
#define LIMIT_XML_BYTES (8u << 20) /* one answer of libvirt: about one MiB for a large host; libxml2 stops at 10 MB */
#define LIMIT_SNAPSHOT_BYTES (16u << 20) /* a recorded host as JSON */
#define LIMIT_KVM_PROBE_MS 100           /* CPU time of a million guest iterations: 1 ms on hardware */
#define LIMIT_KVM_PROBE_WAIT_MS 500

/* Object names: Kubernetes. */
#define LIMIT_NAME_BYTES 253u
#define LIMIT_LABEL_BYTES 63u

/* Runtime. */
#define LIMIT_EVENTS 5000u             /* the one not seen for longest goes */
#define LIMIT_RESYNC_S 60              /* slow second look at what should be running and pinned */
#define LIMIT_POOL_FULL_S 300          /* a pool the kernel had no memory for is not tried again before */
#define LIMIT_STATISTICS_AGE_MS 5000u  /* the same numbers serve every scrape for so long: libvirt is asked once */
#define LIMIT_STATISTICS_WAIT_MS 4000u /* a scrape waits for libvirt; scrapers themselves give up after ten seconds */
/* A change of host tuning that does not return (the kernel waits for a CPU a real-time vCPU does not give up): given
 * up, said in an event, undone when it can be. Emulated hosts need seconds for one. */
#define LIMIT_TUNING_STEP_MS 30000u
#define LIMIT_TUNING_TURN_MS 5000u /* until one that was left behind before ends */
#define LIMIT_TUNING_RETRY_S 60    /* until what could not be undone is tried again */
/* It sleeps for one of its rounds (ten seconds) when it takes a new set, and dies of SIGPIPE (outside of systemd) when
 * who asked is gone by the time it answers. */
#define LIMIT_IRQBALANCE_ANSWER_S 15
#define LIMIT_TUNING_LEFT 8u /* children left behind before no more are made */
#define LIMIT_TUNING_ORDER_BYTES (64u << 20)
#define LIMIT_HOST_CHANGES_MS \
    18000u /* a request for what is found now waits so long for one thing; longer than irqbalance */
#define LIMIT_SUGGESTED_VMS 16u /* more wait for room: what would fit instead is not worked out for each */

/* Store. */
#define LIMIT_LOCK_MS 2000u          /* a folder in use is waited for so long: its owner may just have been killed */
#define LIMIT_COMMIT_PATIENCE_MS 10u /* what nobody waits for waits so long for a write that somebody does wait for */
#define LIMIT_CHANGE_LOG 4096u       /* changes kept for watches that come back */
#define LIMIT_CHANGE_AGE_S 300u      /* and so long at least, as far as they fit: as etcd under an API server */
#define LIMIT_CHANGE_LOG_BYTES (16u << 20) /* what these keep in memory, about */
#define LIMIT_OBJECT_TEXT_BYTES (8u << 20) /* objects of one kind kept ready as JSON text */
#define LIMIT_HOST_CHANGES 10000u          /* journal of host changes not undone yet */
#define LIMIT_LATENCY_GATE_MS 600000u      /* a start waits for it */
#define LIMIT_LATENCY_RUNS 200u
#define LIMIT_LATENCY_RUN_BYTES (64u << 20) /* one run as JSON: many CPUs with many buckets */
#define LIMIT_LATENCY_BLOCKS 2000u          /* pieces of time kept of one CPU */
#define LIMIT_DISTURBANCES 100u             /* interrupts and threads kept of one run */
#define LIMIT_NOISE_SOURCES 512u            /* interrupts and threads told apart while a trace is read */
#define LIMIT_LATENCY_S 604800u             /* a week */
#define LIMIT_GUEST_OUTPUT_BYTES (8u << 20) /* one answer of a guest agent that ran a program */
#define LIMIT_LATENCY_GRACE_MS 15000u       /* beyond the duration, for starting and gathering */

/* HTTP (api/): what one client may hold. */
#define LIMIT_HTTP_HEADER_BYTES (64u << 10)
#define LIMIT_HTTP_HEADERS 100u
#define LIMIT_HTTP_PARAMETERS 64u /* of the query */
#define LIMIT_HTTP_CONNECTIONS 1024u
#define LIMIT_HTTP_REMOTE_CONNECTIONS 960u /* of them over TCP: the unix socket is not shut by strangers */
#define LIMIT_HTTP_WARNING_MS 60000u       /* between two lines in the log that say so */
#define LIMIT_HTTP_BACKLOG 256
#define LIMIT_HTTP_REQUEST_MS 30000u       /* from the first byte of a request to its last */
#define LIMIT_HTTP_IDLE_S 120u             /* between two requests; and without progress while writing */
#define LIMIT_HTTP_STREAM_BYTES (4u << 20) /* waiting for a client that reads too slowly */

/* Memory that a burst of requests left behind is given back when there were few in this time. */
#define LIMIT_QUIET_S 15u
#define LIMIT_QUIET_REQUESTS 100u
#define LIMIT_QUIET_FREE_BYTES (8u << 20) /* less than this is kept: the next burst wants it */

/* Requests (api/). */
#define LIMIT_SELECTOR_TERMS 64u
#define LIMIT_PATCH_OPERATIONS 10000u /* as a Kubernetes API server */
#define LIMIT_WARNINGS 32u            /* Warning headers of one answer */
#define LIMIT_LIST_PAGE 1000000u      /* `limit` of a list, so that a continue token stays a number */
#define LIMIT_WATCHES 4096u
#define LIMIT_WATCH_S 86400u            /* the longest timeoutSeconds */
#define LIMIT_WATCH_BOOKMARK_S 60u      /* between two bookmarks */
#define LIMIT_TUNNELS 256u              /* consoles, screens and forwarded ports open at once */
#define LIMIT_TUNNEL_BYTES (256u << 10) /* on the way to one side before the other one has to wait */
#define LIMIT_DATAGRAM_BYTES 65507u     /* of one UDP datagram over IPv4 */
#define LIMIT_RELAY_SENDERS 64u         /* who send to one forwarded UDP port: each has a tunnel of its own */
#define LIMIT_TUNNEL_PING_S 30u
#define LIMIT_TUNNEL_PINGS 2u /* unanswered ones before a client counts as gone */
#define LIMIT_TUNNEL_END_S 10 /* to deliver what is on its way when one side is gone */
#define LIMIT_DIAL_S 10
#define LIMIT_DIAL_AGAIN_MS 50u
#define LIMIT_CERTIFICATE_CHECK_S 86400u /* how old the certificates in use may be, as read from their files */
#define LIMIT_TLS_TICKET_S 21600u        /* a TLS session is resumed for so long; its keys live twice as long */
#define LIMIT_GENERATED_NAME_TRIES 8u
#define LIMIT_FIELD_MANAGERS 40u /* entries of metadata.managedFields; the oldest go */

/* The probe guest's serial port. */
#define LIMIT_PROBE_LINE_BYTES 1000u
#define LIMIT_PROBE_REPORT_BYTES (8u << 20) /* of one report: 512 vCPUs with every bucket */

/* Libvirt: a daemon that does not answer for interval × (count + 1) seconds is lost; a guest agent is slow after that.
 */
#define LIMIT_LIBVIRT_KEEPALIVE_S 30
#define LIMIT_LIBVIRT_KEEPALIVE_COUNT 2u
#define LIMIT_AGENT_ANSWER_S 5
#define LIMIT_SCREENSHOT_BYTES (64u << 20) /* a picture as PPM: 16 million pixels have 48 MiB */

/* Images and volumes (runtime/image): bytes that come from elsewhere. */
#define LIMIT_IMAGE_NAME_BYTES 512u
#define LIMIT_IMAGE_MANIFEST_BYTES (4u << 20) /* one JSON document of an image; what registries allow */
#define LIMIT_IMAGE_LAYERS 256u
#define LIMIT_IMAGE_ENTRIES 1000000u                 /* files over all layers of one image */
#define LIMIT_IMAGE_HIDDEN 10000u                    /* whiteouts and replaced files that matter for the disk */
#define LIMIT_IMAGE_DISK_BYTES (UINT64_C(1) << 40)   /* one disk file as unpacked: 1 TiB */
#define LIMIT_IMAGE_SIZE_BYTES (UINT64_C(1) << 46)   /* what a disk says it holds: 64 TiB */
#define LIMIT_IMAGE_FREE_BYTES (UINT64_C(256) << 20) /* left free on the disk images are written to */
#define LIMIT_IMAGE_TOOL_MS 60000u                   /* qemu-img on one file, skopeo inspect */
#define LIMIT_IMAGE_PULL_MS 3600000u                 /* skopeo copy */
#define LIMIT_IMAGE_UNPACK_MS 3600000u
#define LIMIT_IMAGE_UNPACK_MEMORY_BYTES (UINT64_C(1) << 30) /* of the unpacking child */
#define LIMIT_ISO_BYTES (4u << 20)                          /* Kubernetes: one MiB in a Secret or ConfigMap */
#define LIMIT_ISO_FILES 4096u
#define LIMIT_ISO_LABEL_BYTES 32u /* ISO 9660 */
