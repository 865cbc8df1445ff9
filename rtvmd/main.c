/* rtvmd: the program. A table of verbs and a dispatch; each verb is a file of its own beside this one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rtvmd/verb.h"
#include "rtvmd/verbs.h"
#include "runtime/latency/measure.h"
#include "runtime/tune/tune.h"

/* To add a verb: one row here, one function in verbs.h, one file verb_NAME.c. */
const struct verb VERBS[] = {
    {"serve", verb_serve,
     "[--config FILE] [--state-dir DIR] [--socket PATH] [--listen ADDR:PORT [--plain-http]] [--libvirt URI]",
     "Run the daemon, in the foreground", "Daemon"},
    {"kubeconfig", verb_kubeconfig, "[--server URL] [--user NAME] [--role view|edit|admin]",
     "Print a kubeconfig for kubectl and virtctl", "Daemon"},
    {"token", verb_token, "create --user NAME [--role ROLE] [--days N]|list|revoke ID",
     "Make, list and revoke bearer tokens", "Daemon"},
    {"backup", verb_backup, "FILE|- [--socket PATH]", "Copy the store of the running daemon into a file", "Daemon"},
    {"restore", verb_restore, "FILE [--state-dir DIR]",
     "Put a backup in the place of the store; the daemon must be stopped", "Daemon"},
    {"apply", verb_apply, "-f FILE… [-n NAMESPACE] [--dry-run] [--strict] [-o FORMAT]",
     "Create or change objects from manifests (server-side apply)", "Objects"},
    {"create", verb_create, "-f FILE…|namespace NAME [-n NAMESPACE] [--dry-run] [--strict] [-o FORMAT]",
     "Create objects from manifests; what is there already is a conflict", "Objects"},
    {"get", verb_get, "RESOURCE[,…] [NAME…] [-n NAMESPACE|-A] [-l LABELS] [-w] [-o FORMAT]",
     "List or print objects: vm, vmi, node, events, placements, …", "Objects"},
    {"describe", verb_describe, "RESOURCE NAME… [-n NAMESPACE]", "Show one object, its conditions and its events",
     "Objects"},
    {"delete", verb_delete, "RESOURCE NAME…|-f FILE [-n NAMESPACE] [--grace-period SECONDS] [--wait]",
     "Delete objects; a deleted VM is shut down first", "Objects"},
    {"export", verb_export, "[RESOURCE[,…] [NAME…]] [-n NAMESPACE|-A] [-l LABELS] [-o yaml|json|name]",
     "Print objects as their authors wrote them: manifests that apply to any KubeVirt", "Objects"},
    {"wait", verb_wait, "RESOURCE NAME --for condition=TYPE|jsonpath=…|delete [--timeout TIME]",
     "Return when something has become true", "Objects"},
    {"events", verb_events, "[--for NAME] [-w] [-n NAMESPACE|-A] [-o FORMAT]", "Show what happened", "Objects"},
    {"start", verb_start, "NAME… [--paused] [-n NAMESPACE]", "Start VMs", "Life of a VM"},
    {"stop", verb_stop, "NAME… [--grace-period SECONDS] [-n NAMESPACE]", "Shut VMs down", "Life of a VM"},
    {"restart", verb_restart, "NAME… [--grace-period 0] [-n NAMESPACE]", "Shut VMs down and start them again",
     "Life of a VM"},
    {"pause", verb_pause, "NAME… [-n NAMESPACE]", "Stop the vCPUs of running VMs", "Life of a VM"},
    {"unpause", verb_unpause, "NAME… [-n NAMESPACE]", "Let the vCPUs of paused VMs go on", "Life of a VM"},
    {"softreboot", verb_softreboot, "NAME… [-n NAMESPACE]", "Ask guests to reboot", "Life of a VM"},
    {"reset", verb_reset, "NAME… [-n NAMESPACE]", "Press the reset button of running VMs", "Life of a VM"},
    {"freeze", verb_freeze, "NAME… [-n NAMESPACE]", "Let the guest agent flush and hold the file systems, for a copy",
     "Life of a VM"},
    {"unfreeze", verb_unfreeze, "NAME… [-n NAMESPACE]", "Let the file systems of frozen guests go on", "Life of a VM"},
    {"console", verb_console, "NAME [-n NAMESPACE]", "This terminal on the VM's serial port; ctrl-] leaves",
     "Life of a VM"},
    {"vnc", verb_vnc, "NAME [--proxy-only] [--port PORT] [-n NAMESPACE]", "Show the screen of a VM, in a VNC viewer",
     "Life of a VM"},
    {"ssh", verb_ssh, "[USER@]NAME [-i FILE] [-p PORT] [-n NAMESPACE] [-- COMMAND…]",
     "Log in to a guest with the system's ssh, through the daemon", "Life of a VM"},
    {"port-forward", verb_port_forward, "[vm/|vmi/]NAME [udp/]LOCAL[:REMOTE]… [--address IP] [--stdio] [-n NAMESPACE]",
     "Lead local TCP and UDP ports to ports of a guest", "Life of a VM"},
    {"top", verb_top, "[-n NAMESPACE|-A] [-w] [--interval SECONDS] [-o FORMAT]",
     "Show what running VMs use: CPU of every vCPU, memory, huge pages, drift", "Life of a VM"},
    {"verify", verb_verify, "NAME [--repair] [-n NAMESPACE] [-o json|yaml]",
     "Check every thread and the memory of a running VM against the plan", "Life of a VM"},
    {"check", verb_check, "-f FILE… [-o json] [--strict]",
     "Say everything that is wrong with a manifest, as a server would", "Manifests"},
    {"explain", verb_explain, "FIELD|annotations|--matrix [-o json]",
     "Tell what a manifest field means and whether it is used", "Manifests"},
    {"render", verb_render, "-f FILE [NAME] [--host FILE|DIR] [--emulation auto|on|off] [--reserved-cpus LIST]",
     "Print the libvirt domain a manifest would become on this host", "Manifests"},
    {"plan", verb_plan, "-f FILE [--host FILE|DIR] [-o json|yaml|wide] [--reserved-cpus LIST]",
     "Show where the VMs of a manifest would run, or every reason why they cannot", "Manifests"},
    {"host", verb_host, "[-o json|wide|map] [--host FILE|DIR]",
     "Show what this machine has: CPUs, memory nodes, huge pages, kernel, KVM", "Host"},
    {"doctor", verb_doctor, "[-o json|wide] [--host DIR]",
     "Tell whether this machine is fit for real time and what stands in the way. Exit status: 0 fit, 1 unknown, 2 not fit",
     "Host"},
    {"tune", verb_tune, "plan|apply --cpus LIST [--level safe|full] | show | undo [--all] [-o json] [--state-dir DIR]",
     "Move what disturbs real-time CPUs off them, and put it back", "Host"},
    {"latency", verb_latency,
     "host [--cpus LIST] [--duration TIME] [--kind timer|gaps|both] [--load] [--trace] | vm NAME|-f FILE [same options] | guest NAME [same options] | watch NAME [--duration TIME] [--counters] | ab --knob KNOB --cpus LIST [--keep] | list | show NAME | compare A B [-o json] | export NAME --format FORMAT",
     "Measure how late and how often interrupted a real-time thread would be, and keep what was measured", "Host"},
    {"image", verb_image,
     "import NAME FILE|oci:DIR|docker-archive:FILE | pull NAME | list [-o json] | remove NAME [--path PATH] [--state-dir DIR]",
     "Fill, list and clear the local store of disk images", "Host"},
    {"completion", verb_completion, "bash|zsh", "Print a completion script for a shell", "Other"},
    {"manual", verb_manual, "rtvmd|rtvmd.yaml|rtvmd-manifest|sample",
     "Print a manual page, made from the tables the program runs on", "Other"},
    {"version", verb_version, "[-o json]", "Print the version and what the binary was built with", "Other"},
};
const size_t VERB_COUNT = ARRAY_SIZE(VERBS);

/* A full disk or a closed file behind the output is a failure of whatever was asked. */
static int flushed(const char *verb, int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "rtvmd %s: write: %s\n", verb, strerror(errno));
    return code ? code : 1;
}

static void print_usage(FILE *out)
{
    fputs("rtvmd: KubeVirt-compatible real-time virtual machines on one Linux host\n\nusage: rtvmd VERB [ARGUMENTS]\n",
          out);
    const char *group = "";
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(group, VERBS[i].group) != 0) {
            group = VERBS[i].group;
            fprintf(out, "\n%s:\n", group);
        }
        fprintf(out, "  %-12s %s\n", VERBS[i].name, VERBS[i].summary);
    }
    fputs("\nrtvmd VERB --help tells more about one verb.\n", out);
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(VERBS[i].name, name) == 0)
            return flushed(name, VERBS[i].run(argc - 1, argv + 1));
    if (strcmp(name, "image-unpack") == 0)
        return verb_image_unpack(argc - 1, argv + 1);
    if (strcmp(name, "confined") == 0)
        return verb_confined(argc - 1, argv + 1);
    if (strcmp(name, MEASURE_VERB) == 0)
        return measure_child(argc - 1, argv + 1);
    if (strcmp(name, TUNE_VERB) == 0)
        return tune_child(argc - 1, argv + 1);
    fprintf(stderr, "rtvmd: unknown verb \"%s\"; rtvmd --help lists them\n", argv[1]);
    return 2;
}
