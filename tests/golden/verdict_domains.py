"""Compares rendered domains with the facts of the domains KubeVirt v1.1.0 builds from the same manifests.

verdict_domains.py RTVMD CASES FOLDER DIFFERENCES: CASES is cases.jsonl, FOLDER holds a recorded tree per host name and
a configuration, DIFFERENCES a list of the differences we want, each with its reason. Prints TAP, one result per fact:
`not ok` when a domain differs in a way that is not on the list, or a row of the list explains nothing any more.
"""
import fnmatch
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

UNITS = {"b": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def cpu_list(text):
    """ "0-2,5" as a sorted list."""
    numbers = set()
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first:
            numbers.update(range(int(first), int(last or first) + 1))
    return sorted(numbers)


def attribute(element, name):
    return None if element is None else element.get(name)


def cells_of_xml(domain):
    return [
        {"cpus": cpu_list(c.get("cpus")), "bytes": int(c.get("memory")) * UNITS[c.get("unit", "KiB")]}
        for c in domain.findall("cpu/numa/cell")
    ]


def pages_of_xml(domain):
    if domain.find("memoryBacking/hugepages") is None:
        return None
    return [
        {"bytes": int(p.get("size")) * UNITS[p.get("unit", "KiB")], "cell": p.get("nodeset")}
        for p in domain.findall("memoryBacking/hugepages/page")
    ]


def disks_of_xml(domain):
    facts = []
    for disk in domain.findall("devices/disk"):
        driver = disk.find("driver")
        facts.append(
            {
                "device": disk.get("device"),
                "bus": disk.find("target").get("bus"),
                "iothread": attribute(driver, "iothread"),
                "cache": attribute(driver, "cache"),
                "io": attribute(driver, "io"),
            }
        )
    return facts


def facts_of_xml(text):
    domain = ElementTree.fromstring(text)
    cpu = domain.find("cpu")
    pins = {p.get("vcpu"): p.get("cpuset") for p in domain.findall("cputune/vcpupin")}
    own = [int(c) for c in pins.values()]
    emulator = cpu_list(attribute(domain.find("cputune/emulatorpin"), "cpuset"))
    threads = [cpu_list(p.get("cpuset")) for p in domain.findall("cputune/iothreadpin")]
    return {
        "vcpus": int(domain.findtext("vcpu")),
        "topology": [int(cpu.find("topology").get(k)) for k in ("sockets", "cores", "threads")],
        "pins": len(pins),
        "pins share a CPU": len(own) != len(set(own)),
        "emulator meets a vCPU": bool(set(own) & set(emulator)),
        "emulator has own CPUs": bool(pins) and len(emulator) == 1,
        "IO thread meets a vCPU": any(set(own) & set(t) for t in threads),
        "iothreads": int(domain.findtext("iothreads") or 0),
        "cells": cells_of_xml(domain),
        "cells are bound": len(domain.findall("numatune/memnode")),
        "hugepages": pages_of_xml(domain),
        "cpu mode": cpu.get("mode"),
        "cpu model": cpu.findtext("model"),
        "cpu features": {f.get("name"): f.get("policy") for f in cpu.findall("feature")},
        "pmu off": attribute(domain.find("features/pmu"), "state") == "off",
        "hint-dedicated": attribute(domain.find("features/kvm/hint-dedicated"), "state") == "on",
        "memory": int(domain.findtext("memory")) * UNITS[domain.find("memory").get("unit")],
        "disks": disks_of_xml(domain),
        "interfaces": [m.get("type") for m in domain.findall("devices/interface/model")],
        "video": [v.get("type") for v in domain.findall("devices/video/model")],
        "balloon": attribute(domain.find("devices/memballoon"), "model"),
    }


def facts_of_kubevirt(said):
    own = [int(c) for c in said["pins"].values()]
    emulator = cpu_list(said["emulatorpin"])
    threads = [cpu_list(t) for t in said["iothreadpin"].values()]
    pages = said["hugepages"]
    return {
        "vcpus": said["vcpus"],
        "topology": [int(said["topology"][k]) for k in ("sockets", "cores", "threads")],
        "pins": len(own),
        "pins share a CPU": len(own) != len(set(own)),
        "emulator meets a vCPU": bool(own) and (not emulator or bool(set(own) & set(emulator))),
        "emulator has own CPUs": bool(own) and bool(emulator),
        "IO thread meets a vCPU": any(set(own) & set(t) for t in threads),
        "iothreads": said["iothreads"],
        "cells": [
            {"cpus": cpu_list(c["cpus"]), "bytes": int(c["memory"]) * UNITS[c["unit"]]} for c in said["cells"]
        ],
        "cells are bound": len(said["memnodes"]),
        "hugepages": pages and [{"bytes": int(p["size"]) * UNITS[p["unit"]], "cell": p["nodeset"]} for p in pages],
        "cpu mode": said["cpu"]["mode"],
        "cpu model": said["cpu"]["model"],
        "cpu features": said["cpu"]["features"],
        "pmu off": said["pmu_off"],
        "hint-dedicated": said["hint_dedicated"],
        "memory": said["memory_bytes"],
        "disks": said["disks"],
        "interfaces": [i["model"] for i in said["interfaces"]],
        "video": said["video"],
        "balloon": said["balloon"],
    }


def without_probing(wanted, found):
    """KubeVirt's cache and io are null where it asks the disk's file system: only what a manifest says compares."""
    for theirs, ours in zip(wanted["disks"], found["disks"]):
        for key in ("cache", "io"):
            if theirs[key] is None:
                ours[key] = None


class Differences:
    """Rows `CASES | FACT | KUBEVIRT | OURS | REASON`; cases are patterns, values JSON or `*`."""

    def __init__(self, path):
        self.rows = []
        for line in open(path, encoding="utf-8"):
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                self.rows.append([part.strip() for part in line.split("|", 4)] + [0])

    def explain(self, case, fact, wanted, found):
        values = (case, fact, json.dumps(wanted), json.dumps(found))
        for row in self.rows:
            named = any(fnmatch.fnmatchcase(case, name) for name in row[0].split(" or "))
            if named and fact == row[1] and all(row[i] in ("*", values[i]) for i in (2, 3)):
                row[5] += 1
                return True
        return False


def render(rtvmd, manifest, folder, host):
    command = [rtvmd, "render", "-f", "-", "--host", f"{folder}/{host}", "--config", f"{folder}/config.yaml"]
    return subprocess.run(command, input=json.dumps(manifest), capture_output=True, text=True)


def differences_of(rtvmd, case, name, said, folder):
    """Yields (fact, wanted, found) for one case on one host."""
    answer = render(rtvmd, case["manifest"], folder, name)
    if "error" in said:
        if answer.returncode == 0:
            yield "rendered", False, True
        return
    if answer.returncode != 0:
        yield "rendered", True, answer.stderr.strip().split("\n")[-1]
        return
    wanted, found = facts_of_kubevirt(said), facts_of_xml(answer.stdout)
    without_probing(wanted, found)
    for fact in wanted:
        if wanted[fact] != found[fact]:
            yield fact, wanted[fact], found[fact]


def main(rtvmd, cases, folder, list_path):
    known = Differences(list_path)
    facts = {}
    compared = 0
    for line in open(cases, encoding="utf-8"):
        case = json.loads(line)
        if case["verdict"] != "accepted":
            continue
        for name, said in case["domain"].items():
            compared += 1
            for fact, wanted, found in differences_of(rtvmd, case, name, said, folder):
                agreed = known.explain(case["name"], fact, wanted, found)
                facts.setdefault(fact, []).append((agreed, f"{case['name']} on {name}", wanted, found))
    number = 0
    for fact in sorted(facts):
        number += 1
        unexplained = [d for d in facts[fact] if not d[0]]
        print("not ok" if unexplained else "ok", number, f"- {fact}: every difference is on the list ({len(facts[fact])})")
        for _, where, wanted, found in unexplained[:10]:
            print(f"#   {where}: KubeVirt {json.dumps(wanted)}, ours {json.dumps(found)}")
    stale = [row for row in known.rows if row[5] == 0]
    print("not ok" if stale else "ok", number + 1, "- every row of the list still explains something")
    for row in stale:
        print("#   " + " | ".join(row[:5]))
    print("ok" if compared > 0 else "not ok", number + 2, f"- {compared} domains compared")
    print(f"1..{number + 2}")
    return 0


sys.exit(main(*sys.argv[1:]))
