/* Daemons that undo what was tuned, and firmware that takes the CPU away. */
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "runtime/tune/check.h"
#include "runtime/tune/irqbalance.h"

static enum verdict look_running(const struct patient *p, struct text *found, const char *name)
{
    if (!p->tasks.known) {
        text_append(found, "no threads are recorded");
        return VERDICT_UNKNOWN;
    }
    const struct task *t = tasks_named(&p->tasks, name);
    if (!t) {
        text_append(found, "not running");
        return VERDICT_OK;
    }
    text_printf(found, "running (%d)", t->pid);
    return VERDICT_BAD;
}

/* irqbalance keeps off isolcpus and nohz_full CPUs that were set at boot, off partitions made later only when told. */
static enum verdict look_irqbalance(const struct patient *p, struct text *found)
{
    enum verdict verdict = look_running(p, found, "irqbalance");
    if (verdict != VERDICT_BAD)
        return verdict;
    struct cpuset banned = {0};
    struct cpuset set;
    if (files_set(&p->files, &set, "/sys/devices/system/cpu/isolated"))
        banned = set;
    if (files_set(&p->files, &set, "/sys/devices/system/cpu/nohz_full"))
        banned = cpuset_or(&banned, &set);
    bool by_boot = cpuset_is_subset(&p->rt, &banned);
    struct error err;
    if (p->live && irqbalance_read(&TUNE_LIVE, tasks_named(&p->tasks, "irqbalance")->pid, &set, &err) == 0)
        banned = cpuset_or(&banned, &set);
    if (!cpuset_is_subset(&p->rt, &banned)) {
        text_append(found, ", and may place interrupts on ");
        struct cpuset open = cpuset_minus(&p->rt, &banned);
        text_cpus(found, &open);
        return VERDICT_BAD;
    }
    text_append(found, by_boot ? ", kept off by the boot options" : ", told to keep off");
    return VERDICT_OK;
}

static enum verdict look_tuned(const struct patient *p, struct text *found)
{
    enum verdict verdict = look_running(p, found, "tuned");
    char profile[128];
    if (!files_line(&p->files, profile, sizeof profile, "/etc/tuned/active_profile"))
        return verdict;
    text_printf(found, "%sprofile %s", found->length ? ", " : "", profile);
    bool fits = strstr(profile, "realtime") || strstr(profile, "cpu-partitioning");
    return verdict == VERDICT_BAD && fits ? VERDICT_OK : verdict;
}

static enum verdict look_power_profiles(const struct patient *p, struct text *found)
{
    return look_running(p, found, "power-profiles"); /* names are cut to 15 bytes */
}

static enum verdict look_thermald(const struct patient *p, struct text *found)
{
    return look_running(p, found, "thermald");
}

static enum verdict look_ksmtuned(const struct patient *p, struct text *found)
{
    return look_running(p, found, "ksmtuned");
}

static enum verdict look_numad(const struct patient *p, struct text *found)
{
    return look_running(p, found, "numad");
}

static enum verdict look_oomd(const struct patient *p, struct text *found)
{
    return look_running(p, found, "systemd-oomd");
}

static enum verdict look_fwupd(const struct patient *p, struct text *found)
{
    return look_running(p, found, "fwupd");
}

static enum verdict look_kipmi(const struct patient *p, struct text *found)
{
    return look_running(p, found, "kipmi");
}

static enum verdict look_desktop(const struct patient *p, struct text *found)
{
    enum verdict verdict = look_running(p, found, "Xorg");
    if (verdict != VERDICT_OK)
        return verdict;
    text_clear(found);
    return look_running(p, found, "gnome-shell");
}

/* Intel counts system-management interrupts in MSR 0x34; one CPU answers for all, and we ask a housekeeping one. */
static enum verdict look_smi(const struct patient *p, struct text *found)
{
    enum { MSR_SMI_COUNT = 0x34 };
    uint64_t count;
    if (!files_word(&p->files, &count, MSR_SMI_COUNT, "/dev/cpu/%d/msr", cpuset_next(&p->housekeeping, 0))) {
        text_append(found, p->live ? "the counter cannot be read (modprobe msr; Intel only)" : "not recorded");
        return VERDICT_UNKNOWN;
    }
    text_printf(found, "%llu since power-on", (unsigned long long)le64toh(count));
    return count == 0 ? VERDICT_OK : VERDICT_BAD;
}

static enum verdict look_entropy(const struct patient *p, struct text *found)
{
    char line[256];
    if (!files_line(&p->files, line, sizeof line, "/sys/class/misc/hw_random/rng_current"))
        return look_absent(p, found, "/sys/class/misc/hw_random/rng_current");
    text_append(found, line);
    return text_starts_with(line, "tpm") ? VERDICT_BAD : VERDICT_OK;
}

static const struct check CHECKS[] = {
    {"irqbalance", DOCTOR_WARNING, look_irqbalance, "not running, or kept off the real-time CPUs",
     "irqbalance moves interrupts every ten seconds, back onto CPUs that were isolated at run time.",
     "irqbalance(1), IRQBALANCE_BANNED_CPULIST",
     "rtvmd tune apply --cpus {rt}, which tells it to keep off; or systemctl stop irqbalance",
     "IRQBALANCE_BANNED_CPULIST={rt} in /etc/default/irqbalance", "interrupts stay on few CPUs"},
    {"tuned", DOCTOR_INFO, look_tuned, "not running, or a real-time profile",
     "tuned sets many of these values to its profile's when it starts.", "tuned-profiles(7)",
     "tuned-adm profile realtime-virtual-host", "the same; it is kept", ""},
    {"power-profiles", DOCTOR_INFO, look_power_profiles, "not running",
     "power-profiles-daemon sets governor and energy preference by itself.", "power-profiles-daemon, README",
     "systemctl stop power-profiles-daemon", "systemctl mask power-profiles-daemon", "battery life"},
    {"thermald", DOCTOR_INFO, look_thermald, "not running", "thermald slows CPUs down before they are hot.",
     "thermald(8)", "systemctl stop thermald", "systemctl mask thermald", "the processor's own protection remains"},
    {"ksmtuned", DOCTOR_WARNING, look_ksmtuned, "not running",
     "ksmtuned switches page merging on when memory is short.", "RHEL virtualization guide, KSM",
     "systemctl stop ksmtuned", "systemctl mask ksmtuned", "less memory to share"},
    {"numad", DOCTOR_WARNING, look_numad, "not running", "numad moves processes and their memory between nodes.",
     "numad(8)", "systemctl stop numad", "systemctl mask numad", ""},
    {"oomd", DOCTOR_INFO, look_oomd, "not running", "systemd-oomd kills whole cgroups under memory pressure, VMs too.",
     "systemd-oomd(8)", "systemctl stop systemd-oomd", "ManagedOOMPreference=omit for machine.slice", ""},
    {"fwupd", DOCTOR_INFO, look_fwupd, "not running",
     "Asking the firmware for updates causes system-management interrupts.",
     "OpenShift machine-config disables fwupd-refresh.timer", "systemctl stop fwupd",
     "systemctl mask fwupd fwupd-refresh.timer", "firmware updates are no longer offered"},
    {"ipmi-poll", DOCTOR_INFO, look_kipmi, "not running", "kipmi0 polls the management controller in a busy loop.",
     "Documentation/driver-api/ipmi.rst", "echo 100 > /sys/module/ipmi_si/parameters/kipmid_max_busy_us",
     "options ipmi_si kipmid_max_busy_us=100 in /etc/modprobe.d", "slower answers of the controller"},
    {"graphics", DOCTOR_INFO, look_desktop, "no desktop",
     "Graphics drivers hold interrupts off and load the memory bus: 110 to 300 us instead of 25 to 35 in one study.",
     "Emde et al., OSADL RTLWS 2007", "systemctl isolate multi-user.target", "systemctl set-default multi-user.target",
     "no local screen"},
    {"smi", DOCTOR_WARNING, look_smi, "0, and not moving",
     "A system-management interrupt stops every CPU for firmware code that nothing can see or delay.",
     "Intel SDM volume 4, MSR_SMI_COUNT; Documentation/trace/hwlat_detector.rst", "",
     "firmware settings: legacy USB, patrol scrub, power reporting off; ask the vendor",
     "never switch SMIs off altogether: the firmware guards against overheating with them"},
    {"random-source", DOCTOR_INFO, look_entropy, "not a TPM", "A TPM as random source blocks its bus for milliseconds.",
     "Documentation/admin-guide/hw_random.rst", "echo none > /sys/class/misc/hw_random/rng_current", "", ""},
};

const struct check_table CHECKS_DAEMONS = {"daemons and firmware", CHECKS, ARRAY_SIZE(CHECKS)};
