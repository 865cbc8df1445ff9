#!/usr/bin/env python3
"""Writes the recorded hosts beside this file: small /sys and /proc trees of machines that do not exist, each with the
files a real one shows and nothing else. Run it after changing a host here; the trees are committed as well, so that
`--host tests/golden/hosts/NAME` works without it."""
import os
import shutil

HERE = os.path.dirname(os.path.abspath(__file__))
GIB = 1 << 20  # in KiB, the unit of every file below


def ranges(cpus):
    """[0, 1, 2, 5] -> "0-2,5", as the kernel prints a list."""
    out, cpus = [], sorted(cpus)
    while cpus:
        n = 1
        while n < len(cpus) and cpus[n] == cpus[0] + n:
            n += 1
        out.append(str(cpus[0]) if n == 1 else f"{cpus[0]}-{cpus[n - 1]}")
        cpus = cpus[n:]
    return ",".join(out)


class Host:
    def __init__(self, name):
        self.root = os.path.join(HERE, name)
        shutil.rmtree(self.root, ignore_errors=True)

    def put(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="ascii") as f:
            f.write(f"{text}\n")

    def cpus(self, nodes, isolated=()):
        """nodes: per node a list of cores, each the list of its threads."""
        every = [cpu for cores in nodes for core in cores for cpu in core]
        base = "sys/devices/system/cpu"
        for name in "online", "present", "possible":
            self.put(f"{base}/{name}", ranges(every))
        self.put(f"{base}/offline", "")
        self.put(f"{base}/isolated", ranges(isolated))
        self.put(f"{base}/nohz_full", ranges(isolated) or "(null)")
        smt = any(len(core) > 1 for cores in nodes for core in cores)
        self.put(f"{base}/smt/active", int(smt))
        self.put(f"{base}/smt/control", "on" if smt else "notsupported")
        for package, cores in enumerate(nodes):
            together = ranges(cpu for core in cores for cpu in core)
            for core_id, core in enumerate(cores):
                for cpu in core:
                    at = f"{base}/cpu{cpu}"
                    self.put(f"{at}/topology/core_id", core_id)
                    self.put(f"{at}/topology/die_id", 0)
                    self.put(f"{at}/topology/physical_package_id", package)
                    self.put(f"{at}/topology/core_cpus_list", ranges(core))
                    self.put(f"{at}/cache/index3/level", 3)
                    self.put(f"{at}/cache/index3/shared_cpu_list", together)
        return every

    def memory(self, nodes, gib, pools):
        """gib: memory of each node; pools: {page KiB: (pages per node)}."""
        base = "sys/devices/system/node"
        self.put(f"{base}/online", ranges(range(len(nodes))))
        for node, cores in enumerate(nodes):
            at = f"{base}/node{node}"
            self.put(f"{at}/cpulist", ranges(cpu for core in cores for cpu in core))
            self.put(f"{at}/distance", " ".join("10" if other == node else "21" for other in range(len(nodes))))
            used = sum(size * pages[node] for size, pages in pools.items())
            self.put(f"{at}/meminfo", f"Node {node} MemTotal:       {gib * GIB} kB\n"
                                      f"Node {node} MemFree:        {gib * GIB - used - GIB} kB")
            for size, pages in pools.items():
                for name, value in ("nr", pages[node]), ("free", pages[node]), ("surplus", 0):
                    self.put(f"{at}/hugepages/hugepages-{size}kB/{name}_hugepages", value)
        self.put("proc/meminfo", f"MemTotal:       {gib * GIB * len(nodes)} kB")
        mounts = ["proc /proc proc rw 0 0", "sysfs /sys sysfs rw 0 0", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0"]
        word = {2048: "2M", GIB: "1024M"}
        mounts += [f"hugetlbfs /dev/hugepages{size} hugetlbfs rw,relatime,pagesize={word[size]} 0 0"
                   for size, pages in pools.items() if sum(pages)]
        self.put("proc/mounts", "\n".join(mounts))

    def kernel(self, release, cpus, rt, rt_runtime, fair_server, cmdline, model="Recorded Processor 9000", flags=""):
        build = "#1 SMP PREEMPT_RT" if rt else "#1 SMP PREEMPT_DYNAMIC"
        self.put("proc/version", f"Linux version {release} (builder@example) (gcc 12.2.0) {build} Debian (2024-01-01)")
        self.put("proc/sys/kernel/osrelease", release)
        self.put("proc/cmdline", f"BOOT_IMAGE=/vmlinuz-{release} root=/dev/vda1 ro {cmdline}".rstrip())
        if rt:
            self.put("sys/kernel/realtime", 1)
        self.put("proc/sys/kernel/sched_rt_runtime_us", rt_runtime)
        self.put("proc/sys/kernel/sched_rt_period_us", 1000000)
        self.put("sys/kernel/debug/sched/features", "GENTLE_FAIR_SLEEPERS START_DEBIT")
        for cpu in cpus if fair_server else ():
            self.put(f"sys/kernel/debug/sched/fair_server/cpu{cpu}/runtime", 50000000)
            self.put(f"sys/kernel/debug/sched/fair_server/cpu{cpu}/period", 1000000000)
        self.put("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc")
        self.put("proc/cpuinfo", "\n\n".join(
            f"processor\t: {cpu}\nvendor_id\t: GenuineIntel\nmodel name\t: {model}\n"
            f"flags\t\t: fpu tsc msr lm vmx constant_tsc nonstop_tsc tsc_deadline_timer tsc_known_freq{flags}"
            for cpu in cpus))

    def knobs(self, values):
        for path, value in values.items():
            self.put(path, value)

    def per_cpu(self, cpus, values):
        for cpu in cpus:
            for path, value in values.items():
                self.put(f"sys/devices/system/cpu/cpu{cpu}/{path}", value)

    def task(self, pid, name, allowed, policy=0, priority=0, kernel=False, bound=False):
        """A thread, in the two files of it that are read. policy: 0 other, 1 FIFO."""
        flags = 0x00200000 * kernel + 0x04000000 * bound
        fields = [pid, f"({name})", "S", 1, pid, pid, 0, -1, flags] + [0] * 29 + [sorted(allowed)[0], priority, policy]
        self.put(f"proc/{pid}/task/{pid}/stat", " ".join(map(str, fields)))
        self.put(f"proc/{pid}/task/{pid}/status", f"Name:\t{name}\nCpus_allowed_list:\t{ranges(allowed)}")

    def irq(self, number, allowed, effective):
        self.put(f"proc/irq/{number}/smp_affinity_list", ranges(allowed))
        self.put(f"proc/irq/{number}/effective_affinity_list", ranges(effective))


def mask(cpus):
    return f"{sum(1 << cpu for cpu in cpus):08x}"


def tuned(host, every, isolated):
    """What an administrator leaves who has read every manual: all that can be read is as it should be."""
    rest = [cpu for cpu in every if cpu not in isolated]
    host.knobs({
        "proc/irq/default_smp_affinity": mask(rest), "proc/swaps": "Filename Type Size Used Priority",
        "proc/sys/kernel/hung_task_timeout_secs": 600, "proc/sys/kernel/nmi_watchdog": 0,
        "proc/sys/kernel/numa_balancing": 0, "proc/sys/kernel/soft_watchdog": 1,
        "proc/sys/kernel/split_lock_mitigate": 0, "proc/sys/kernel/timer_migration": 1,
        "proc/sys/kernel/watchdog_cpumask": ranges(rest), "proc/sys/vm/compact_unevictable_allowed": 0,
        "proc/sys/vm/compaction_proactiveness": 0, "proc/sys/vm/stat_interval": 10, "proc/sys/vm/swappiness": 10,
        "sys/class/net/eno1/queues/rx-0/rps_cpus": mask(rest),
        "sys/devices/virtual/workqueue/cpumask": mask(rest),
        "sys/kernel/debug/sched/domains/cpu0/domain0/name": "MC",
        "sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages": 0,
        "sys/kernel/mm/ksm/run": 0, "sys/kernel/mm/transparent_hugepage/enabled": "always madvise [never]",
        "sys/kernel/rcu_normal": 1, "sys/kernel/tracing/current_tracer": "nop",
        "sys/module/kvm/parameters/halt_poll_ns": 0, "sys/module/kvm/parameters/nx_huge_pages": "N",
        "sys/module/kvm/parameters/nx_huge_pages_recovery_ratio": 0, "sys/module/kvm_intel/parameters/ept": "Y",
        "sys/fs/cgroup/vms/cpuset.cpus.partition": "isolated",
    })
    host.per_cpu(isolated, {
        "power/pm_qos_resume_latency_us": "n/a", "cpufreq/scaling_governor": "performance",
        "cpuidle/state0/latency": 0, "cpuidle/state1/latency": 133,
    })
    host.task(1, "systemd", rest)
    host.task(2, "kthreadd", rest, kernel=True)
    host.task(20, f"rcuc/{isolated[0]}", [isolated[0]], 1, 4, kernel=True, bound=True)
    host.task(21, f"ktimers/{isolated[0]}", [isolated[0]], 1, 3, kernel=True, bound=True)
    host.task(22, f"ksoftirqd/{isolated[0]}", [isolated[0]], 1, 2, kernel=True, bound=True)
    host.task(30, "irq/24-nvme0q1", rest[:1], 1, 50, kernel=True)
    host.task(900, "CPU 0/KVM", [isolated[0]], 1, 1)
    host.irq(24, rest, rest[:1])


def untuned(host, every):
    """As distributions ship it, with what a desktop runs."""
    host.knobs({
        "proc/irq/default_smp_affinity": mask(every),
        "proc/swaps": "Filename Type Size Used Priority\n/dev/dm-1 partition 8388604 0 -2",
        "proc/sys/kernel/hung_task_timeout_secs": 120, "proc/sys/kernel/nmi_watchdog": 1,
        "proc/sys/kernel/numa_balancing": 0, "proc/sys/kernel/split_lock_mitigate": 1,
        "proc/sys/kernel/timer_migration": 1, "proc/sys/kernel/watchdog_cpumask": ranges(every),
        "proc/sys/vm/compact_unevictable_allowed": 1, "proc/sys/vm/compaction_proactiveness": 20,
        "proc/sys/vm/stat_interval": 1, "proc/sys/vm/swappiness": 60,
        "sys/devices/system/cpu/intel_pstate/no_turbo": 0, "sys/devices/virtual/workqueue/cpumask": mask(every),
        "sys/kernel/mm/ksm/run": 1, "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never",
        "sys/kernel/rcu_normal": 0, "sys/kernel/tracing/current_tracer": "function",
        "sys/module/kvm/parameters/halt_poll_ns": 200000, "sys/module/kvm/parameters/nx_huge_pages": "Y",
        "sys/module/kvm/parameters/nx_huge_pages_recovery_ratio": 60, "sys/module/kvm_intel/parameters/ept": "Y",
        "sys/module/pcie_aspm/parameters/policy": "default performance [powersave] powersupersave",
        "sys/fs/cgroup/broken/cpuset.cpus.partition": "isolated invalid (Cpu list in cpuset.cpus not exclusive)",
        "etc/tuned/active_profile": "balanced",
    })
    host.per_cpu(every, {
        "power/pm_qos_resume_latency_us": 0, "power/energy_perf_bias": 6, "cpufreq/scaling_governor": "powersave",
        "cpufreq/energy_performance_preference": "balance_performance", "cpufreq/scaling_min_freq": 800000,
        "cpufreq/scaling_max_freq": 4700000, "thermal_throttle/core_throttle_count": 17,
        "cpuidle/state0/name": "POLL", "cpuidle/state0/latency": 0, "cpuidle/state0/disable": 0,
        "cpuidle/state1/name": "C10", "cpuidle/state1/latency": 890, "cpuidle/state1/disable": 0,
    })
    for pid, name in ((1, "systemd"), (700, "irqbalance"), (701, "tuned"), (702, "thermald"), (703, "gnome-shell")):
        host.task(pid, name, every)
    host.task(2, "kthreadd", every, kernel=True)
    host.task(30, "kvm-nx-lpage-re", every, 1, 1, kernel=True)
    host.task(710, "jackd", every, 1, 70)
    host.irq(24, every, every[-1:])


def isolation(cpus):
    listed = ranges(cpus)
    return f"isolcpus=managed_irq,domain,{listed} nohz_full={listed} rcu_nocbs={listed} skew_tick=1"


def two_node_smt():
    """A tuned server: two sockets, siblings i and i+16, all but two cores of each node isolated, RT kernel."""
    host = Host("two-node-smt")
    nodes = [[[n * 8 + core, n * 8 + core + 16] for core in range(8)] for n in range(2)]
    isolated = [cpu for cores in nodes for core in cores[2:] for cpu in core]
    every = host.cpus(nodes, isolated)
    host.memory(nodes, 64, {2048: (1024, 1024), GIB: (16, 16)})
    host.kernel("6.1.0-18-rt-amd64", every, True, -1, False, isolation(isolated))
    tuned(host, every, isolated)


def two_node_nosmt():
    """Two sockets without SMT, CPUs numbered in turn (even on node 0), uneven pools."""
    host = Host("two-node-nosmt")
    nodes = [[[cpu] for cpu in range(n, 12, 2)] for n in range(2)]
    isolated = list(range(2, 12))
    every = host.cpus(nodes, isolated)
    host.memory(nodes, 32, {2048: (512, 2048), GIB: (8, 4)})
    host.kernel("6.1.0-18-rt-amd64", every, True, -1, False, isolation(isolated))


def one_node_8cpu():
    """An edge box: eight cores, six isolated, RT kernel."""
    host = Host("one-node-8cpu")
    nodes = [[[cpu] for cpu in range(8)]]
    isolated = list(range(2, 8))
    every = host.cpus(nodes, isolated)
    host.memory(nodes, 16, {2048: (512,), GIB: (8,)})
    host.kernel("6.1.0-18-rt-amd64", every, True, -1, False, isolation(isolated))


def one_node_2cpu():
    """The smallest host: two CPUs, nothing isolated, a kernel with fair servers."""
    host = Host("one-node-2cpu")
    nodes = [[[0], [1]]]
    every = host.cpus(nodes)
    host.memory(nodes, 8, {2048: (0,), GIB: (4,)})
    host.kernel("6.12.9-amd64", every, False, -1, True, "")


def virtual_machine():
    """A tuned guest: whatever is right in it says nothing about the hardware."""
    host = Host("virtual-machine")
    nodes = [[[cpu] for cpu in range(4)]]
    isolated = [2, 3]
    every = host.cpus(nodes, isolated)
    host.memory(nodes, 8, {2048: (0,), GIB: (4,)})
    host.kernel("6.1.0-18-rt-amd64", every, True, -1, False, isolation(isolated), flags=" hypervisor")
    tuned(host, every, isolated)


def laptop():
    """As it came: four cores with neighbouring siblings, nothing tuned, no huge pages."""
    host = Host("laptop")
    nodes = [[[2 * core, 2 * core + 1] for core in range(4)]]
    every = host.cpus(nodes)
    host.memory(nodes, 16, {2048: (0,)})
    host.kernel("6.12.9-amd64", every, False, 950000, True, "quiet")
    untuned(host, every)


def hybrid():
    """Two performance cores with two threads, four efficiency cores."""
    host = Host("hybrid")
    nodes = [[[0, 1], [2, 3], [4], [5], [6], [7]]]
    every = host.cpus(nodes)
    host.memory(nodes, 16, {2048: (0,), GIB: (4,)})
    host.kernel("6.6.13-amd64", every, False, 950000, False, "quiet")
    host.put("sys/devices/cpu_core/cpus", "0-3")
    host.put("sys/devices/cpu_atom/cpus", "4-7")


for write in two_node_smt, two_node_nosmt, one_node_8cpu, one_node_2cpu, laptop, hybrid, virtual_machine:
    write()
