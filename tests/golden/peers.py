#!/usr/bin/env python3
"""What kubelet + KubeVirt, OpenStack Nova and rtvmd do with the same VMs on the same host.

usage: peers.py RTVMD HOST.json
The two peers are modelled here from their published algorithms:
  kubelet     static CPU manager without options: whole nodes, then whole cores, then single CPUs; nodes and cores with the
              fewest free CPUs first. It sees a number of CPUs, not a guest.
  KubeVirt    arranges vCPUs inside that set: whole cores first, cell by cell, then fragments; the emulator gets the next
              free thread. Memory is split evenly over the cells.
  Nova        one guest cell goes to the host cell with the most free CPUs (its default), vCPUs onto sibling sets of the
              most threads first, in the order of their numbers; an isolated emulator gets the next free CPU there.
rtvmd is run. Each case prints where every VM went and what is left of the host."""
import json
import os
import random
import subprocess
import sys
import tempfile


class Host:
    def __init__(self, facts, reserved):
        self.cores = {}  # first thread -> threads
        self.node = {}
        for cpu in facts["cpus"]:
            if cpu["online"]:
                self.node[cpu["id"]] = cpu["node"]
                self.cores.setdefault(min(cpu["siblings"]), sorted(cpu["siblings"]))
        self.nodes = sorted(set(self.node.values()))
        self.free = set(self.node) - reserved
        self.usable = set(self.free)

    def core(self, cpu):
        return next(threads for threads in self.cores.values() if cpu in threads)

    def free_on(self, node):
        return [cpu for cpu in sorted(self.free) if self.node[cpu] == node]

    def free_cores(self, node, free=None):
        free = self.free if free is None else free
        sets = [[cpu for cpu in threads if cpu in free] for threads in self.cores.values() if self.node[threads[0]] == node]
        return [threads for threads in sets if threads]


def kubelet(host, count):
    """takeByTopologyNUMAPacked: returns the CPUs, or None."""
    if len(host.free) < count:
        return None
    left, taken = set(host.free), []

    def take(cpus):
        taken.extend(cpus)
        left.difference_update(cpus)

    def nodes():
        return sorted(host.nodes, key=lambda node: (sum(host.node[cpu] == node for cpu in left), node))

    def cores(node):
        return sorted(host.free_cores(node, left), key=lambda threads: (len(threads), threads[0]))

    for node in nodes():  # whole nodes
        cpus = [cpu for cpu in sorted(left) if host.node[cpu] == node]
        everything = [cpu for cpu, of in host.node.items() if of == node]
        if len(cpus) == len(everything) <= count - len(taken):
            take(cpus)
    for node in nodes():  # whole cores
        for threads in cores(node):
            if len(threads) == len(host.core(threads[0])) <= count - len(taken):
                take(threads)
    for node in nodes():  # what is left
        for threads in cores(node):
            for cpu in threads:
                if len(taken) < count:
                    take([cpu])
    return sorted(taken)


def kubevirt(host, vm):
    """The pod's CPUs from kubelet, then vCPUs inside them: (vCPU CPUs, emulator CPU) or None."""
    cpus = kubelet(host, vm["vcpus"] + vm["emulator"])
    if cpus is None:
        return None
    threads, placed = vm["threads"], []
    full, fragments = {}, {}
    for node in host.nodes:
        sets = host.free_cores(node, set(cpus))
        full[node] = [list(s) for s in sets if len(s) >= threads]
        fragments[node] = [cpu for s in sets if len(s) < threads for cpu in s]
    wanted = vm["vcpus"] // threads
    for node in host.nodes:
        while full[node] and len(placed) < wanted:
            first = full[node].pop(0)
            placed.append(first[:threads])
            rest = first[threads:]
            if len(rest) >= threads:
                full[node].insert(0, rest)
            else:
                fragments[node].extend(rest)
    for node in host.nodes:
        while len(fragments[node]) >= threads and len(placed) < wanted:
            placed.append([fragments[node].pop(0) for _ in range(threads)])
    if len(placed) < wanted:
        return None
    emulator = None
    if vm["emulator"]:
        for node in host.nodes:
            if fragments[node]:
                emulator = fragments[node].pop(0)
                break
            if full[node]:
                emulator = full[node][0].pop(0)
                break
    return [cpu for core in placed for cpu in core], emulator


def nova(host, vm):
    order = sorted(host.nodes, key=lambda node: (-len(host.free_on(node)), node))
    for node in order:
        sets = sorted(host.free_cores(node))
        for size in sorted({len(threads) for threads in sets}, reverse=True):
            usable = [threads[:size] for threads in sets if len(threads) >= size]
            chain = [cpu for threads in usable for cpu in threads]
            if size * len(usable) < vm["vcpus"]:
                continue
            pins = chain[:vm["vcpus"]]
            rest = [cpu for cpu in host.free_on(node) if cpu not in pins]
            if vm["emulator"] and not rest:
                continue
            return pins, rest[0] if vm["emulator"] else None
    return None


def manifest(vm):
    """The VM as a manifest. Guest cells mirror host cells; pages of 2Mi, small, so that memory does not decide."""
    cpu = {"sockets": 1, "cores": vm["vcpus"] // vm["threads"], "threads": vm["threads"], "dedicatedCpuPlacement": True,
           "isolateEmulatorThread": bool(vm["emulator"]), "numa": {"guestMappingPassthrough": {}}}
    if vm.get("realtime"):
        cpu["realtime"] = {}
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "metadata": {"name": vm["name"]},
            "spec": {"domain": {"cpu": cpu, "devices": {}, "memory": {"guest": "64Mi", "hugepages": {"pageSize": "2Mi"}}}}}


def rtvmd(program, host_file, vms, reserved):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"apiVersion": "v1", "kind": "List", "items": [manifest(vm) for vm in vms]}, file)
        file.flush()
        done = subprocess.run([program, "plan", "-f", file.name, "--host", host_file, "-o", "json", "--reserved-cpus",
                               ",".join(map(str, sorted(reserved)))], capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    placed = []
    for item in answer.get("items", [answer]):
        placement = item["placement"]
        if not placement:
            placed.append(None)
            continue
        pins = [placement["vcpus"][str(v)] for v in range(placement["vcpuCount"])]
        placed.append((pins, placement["emulator"][0] if placement["emulatorIsExclusive"] else None))
    return placed


def beside(host, cpu, busy):
    return any(other in busy for other in host.core(cpu) if other != cpu)


def describe(host, vm, place):
    if place is None:
        return "%-9s refused" % vm["name"]
    pins, emulator = place
    nodes = sorted({host.node[cpu] for cpu in pins})
    notes = []
    if len(nodes) > 1:
        notes.append("guest spans nodes %s" % "+".join(map(str, nodes)))
    for v in range(0, len(pins), vm["threads"]):
        group = pins[v:v + vm["threads"]]
        if any(cpu not in host.core(group[0]) for cpu in group):
            notes.append("guest siblings are not siblings")
            break
    if emulator is not None and any(emulator in host.core(cpu) for cpu in pins):
        notes.append("emulator beside a vCPU")
    if vm.get("realtime") and vm["threads"] == 1 and any(beside(host, cpu, set(pins)) for cpu in pins):
        notes.append("real-time vCPUs share a core")
    text = "%-9s vCPUs %s" % (vm["name"], " ".join(map(str, pins)))
    if emulator is not None:
        text += ", emulator %d" % emulator
    return text + (": " + ", ".join(notes) if notes else "")


def summary(host, taken):
    free = host.usable - taken
    cores = [threads for threads in host.cores.values() if set(threads) <= host.usable]
    whole = sum(set(threads) <= free for threads in cores)
    broken = sum(0 < len(set(threads) & free) < len(threads) for threads in cores)
    untouched = [node for node in host.nodes if not any(host.node[cpu] == node for cpu in taken)]
    return "left: %d whole cores, %d broken, nodes nobody uses: %s" % (whole, broken, " ".join(map(str, untouched)) or "none")


def realtime(name, vcpus, emulator=1):
    return {"name": name, "vcpus": vcpus, "threads": 1, "emulator": emulator, "realtime": True}


def dedicated(name, vcpus, threads=1, emulator=0):
    return {"name": name, "vcpus": vcpus, "threads": threads, "emulator": emulator}


CASES = [
    ("The seed manifest: two real-time vCPUs and an isolated emulator", [realtime("seed", 2)]),
    ("One real-time vCPU and its emulator, twice", [realtime("a", 1), realtime("b", 1)]),
    ("Small VMs, then one that needs a whole node",
     [dedicated("a", 2), dedicated("b", 2), dedicated("c", 2), dedicated("big", 12)]),
    ("A node with two CPUs left, and a VM of four",
     [dedicated("a", 10), dedicated("b", 4)]),
    ("Odd VMs, then one whose guest cores have two threads",
     [dedicated("a", 1), dedicated("b", 3), dedicated("c", 1), dedicated("twin", 4, threads=2)]),
    ("Real-time VMs until the host is full",
     [realtime("a", 2), realtime("b", 2), realtime("c", 1), realtime("d", 3), realtime("e", 2), realtime("f", 3)]),
    ("A VM larger than a node", [dedicated("wide", 16)]),
]


def random_mix(dice):
    """Up to eight VMs as an edge box might see them."""
    vms = []
    for number in range(4 + dice.randrange(5)):
        name = "vm%d" % number
        if dice.randrange(2):
            vms.append(realtime(name, dice.choice((1, 1, 2, 2, 3, 4)), emulator=1))
        else:
            threads = dice.choice((1, 1, 2))
            vms.append(dedicated(name, threads * dice.choice((1, 1, 2, 3, 4, 5)), threads, dice.randrange(2)))
    return vms


def judge(host, vms, places):
    """What hurts, counted over the VMs of one mix once all of them run."""
    busy = {cpu for place in places if place for cpu in place[0] + [place[1]] if cpu is not None}
    counts = dict.fromkeys(MEASURES, 0)
    for vm, place in zip(vms, places):
        if place is None:
            continue
        counts["VMs placed"] += 1
        pins, emulator = place
        counts["guests over two nodes"] += len({host.node[cpu] for cpu in pins}) > 1
        groups = [pins[v:v + vm["threads"]] for v in range(0, len(pins), vm["threads"])]
        counts["guests with false siblings"] += any(cpu not in host.core(group[0]) for group in groups for cpu in group)
        if vm.get("realtime"):
            counts["real-time VMs"] += 1
            counts["  emulator beside an own vCPU"] += any(emulator in host.core(cpu) for cpu in pins)
            counts["real-time vCPUs"] += len(pins)
            counts["  beside other work"] += sum(beside(host, cpu, busy) for cpu in pins)
    return counts


MEASURES = ("VMs placed", "guests over two nodes", "guests with false siblings", "real-time VMs",
            "  emulator beside an own vCPU", "real-time vCPUs", "  beside other work")
MIXES = 60


def compare_mixes(program, host_file, facts, reserved):
    dice = random.Random(1)
    totals = {peer: dict.fromkeys(MEASURES, 0) for peer, _ in PEERS}
    for _ in range(MIXES):
        vms = random_mix(dice)
        for peer, place in PEERS:
            host = Host(facts, reserved)
            places = rtvmd(program, host_file, vms, reserved) if place is None else []
            for vm in vms if place else []:
                places.append(place(host, vm))
                if places[-1]:
                    host.free -= set(places[-1][0]) | ({places[-1][1]} if places[-1][1] is not None else set())
            for measure, count in judge(host, vms, places).items():
                totals[peer][measure] += count
    print("\n%d random mixes of 4 to 8 VMs, half of them real-time" % MIXES)
    print("  %-34s %18s %6s %6s" % (("",) + tuple(peer for peer, _ in PEERS)))
    for measure in MEASURES:
        print("  %-34s %18d %6d %6d" % ((measure,) + tuple(totals[peer][measure] for peer, _ in PEERS)))


PEERS = (("kubelet + KubeVirt", kubevirt), ("Nova", nova), ("rtvmd", None))


def main():
    program, host_file = sys.argv[1:3]
    with open(host_file, encoding="utf-8") as file:
        facts = json.load(file)
    isolated = {cpu["id"] for cpu in facts["cpus"] if cpu["isolated"]}
    reserved = {cpu["id"] for cpu in facts["cpus"] if cpu["online"]} - isolated
    print("%s: %d CPUs, exclusive %d" % (os.path.basename(host_file)[:-len(".json")],
                                         len(isolated) + len(reserved), len(isolated)))
    for title, vms in CASES:
        print("\n" + title)
        for peer, place in PEERS:
            host = Host(facts, reserved)
            print("  " + peer)
            ours = rtvmd(program, host_file, vms, reserved) if place is None else None
            for number, vm in enumerate(vms):
                placed = ours[number] if ours else place(host, vm)
                print("    " + describe(host, vm, placed))
                if placed:
                    host.free -= set(placed[0]) | ({placed[1]} if placed[1] is not None else set())
            print("    " + summary(host, host.usable - host.free))
    compare_mixes(program, host_file, facts, reserved)


main()
