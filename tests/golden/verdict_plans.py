#!/usr/bin/env python3
"""Compares our plans with the domains KubeVirt built for the accepted dedicated cases of a recorded verdict file.

usage: verdict_plans.py RTVMD CASES.jsonl HOST_TREE HOST_FACTS.json
Prints one line per difference, "CASE: WHAT: kubevirt X, rtvmd Y (known: WHY)" or without the bracket when it is not a
known one, and ends with a line of counts. Exit status 1 when a difference is not known."""
import json
import os
import subprocess
import sys
import tempfile


def expand(cpus):
    return ",".join(str(cpu) for cpu in sorted(cpus))


def domain_spec(manifest):
    spec = manifest["spec"]
    if manifest["kind"] == "VirtualMachine":
        spec = spec["template"]["spec"]
    return spec["domain"]


def run_plan(rtvmd, host, reserved, manifest):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(manifest, file)
        file.flush()
        done = subprocess.run([rtvmd, "plan", "-f", file.name, "--host", host, "-o", "json", "--reserved-cpus", reserved],
                              capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def facts_of_kubevirt(domain, used_iothreads):
    return {
        "pins": len(domain["pins"]),
        "emulator alone": domain["emulatorpin"] is not None,
        "cells": len(domain["cells"]),
        "page sizes": sorted({int(page["size"]) for page in domain["hugepages"] or []}),
        "memory": sum(int(cell["memory"]) * (1024 if cell["unit"] == "KiB" else 1) for cell in domain["cells"]),
        "vCPUs per cell": sorted(members(cell["cpus"]) for cell in domain["cells"]),
        "IO threads": domain["iothreads"] if used_iothreads else 0,
    }


def members(text):
    count = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    return count


def facts_of_plan(placement):
    cells = placement["cells"]
    return {
        "pins": len(placement["vcpus"]),
        "emulator alone": placement["emulatorIsExclusive"],
        "cells": len(cells),
        "page sizes": sorted({cell["pageBytes"] for cell in cells if cell["pageBytes"]}),
        "memory": sum(cell["memoryBytes"] for cell in cells),
        "vCPUs per cell": sorted(len(cell["vcpus"]) for cell in cells),
        "IO threads": len(placement["iothreads"]),
    }


def check_rules(placement, exclusive):
    """What must hold whatever KubeVirt did: distinct CPUs, all from the cpuset, nobody on a vCPU's CPU."""
    pins = list(placement["vcpus"].values())
    others = set(placement["emulator"])
    for cpus in placement["iothreads"].values():
        others |= set(cpus)
    wrong = []
    if len(set(pins)) != len(pins) or not set(pins) <= exclusive:
        wrong.append("vCPUs are not on distinct exclusive CPUs")
    if others & set(pins):
        wrong.append("emulator or IO threads on a vCPU's CPU")
    return wrong


def known_difference(case, what, kubevirt, plan, sizes, ours_text):
    domain = domain_spec(case["manifest"])
    page = domain.get("memory", {}).get("hugepages", {}).get("pageSize", "")
    if what == "refused" and not plan and "realtime.mask" in ours_text:
        return "a bad mask is refused at once; KubeVirt fails after the domain is made"
    if what == "refused" and plan and {r["code"] for r in plan["reasons"]} == {"UnsupportedPageSize"} and page not in sizes:
        return "this host has no pages of %s; KubeVirt does not look" % page
    if what == "page sizes" and "numa" not in domain["cpu"] and kubevirt == []:
        return "without a NUMA mapping KubeVirt names no page size; ours is bound to one"
    if what == "IO threads" and "ioThreadsPolicy" in domain["cpu"]:
        return "what was written at the wrong place is honored; KubeVirt drops it"
    return None


def main():
    rtvmd, cases, host, facts_file = sys.argv[1:5]
    with open(facts_file, encoding="utf-8") as file:
        facts = json.load(file)
    exclusive = set(facts["cpuset"])
    online = {cpu["id"] for cell in facts["cells"] for cpu in cell["cpus"]}
    name = os.path.basename(facts_file)[:-len(".json")]
    compared = agreed = unknown = idle = 0
    with open(cases, encoding="utf-8") as file:
        for case in map(json.loads, file):
            if case["verdict"] != "accepted" or "pins" not in case["domain"].get(name, {}):
                continue
            domain = domain_spec(case["manifest"])
            if not domain.get("cpu", {}).get("dedicatedCpuPlacement"):
                continue
            status, plan, complaints = run_plan(rtvmd, host, expand(online - exclusive), case["manifest"])
            disks = domain.get("devices", {}).get("disks", [])
            uses = "ioThreadsPolicy" in domain or any(disk.get("dedicatedIOThread") for disk in disks)
            compared += 1
            idle += not uses and case["domain"][name]["iothreads"]
            differences = []
            kubevirt = facts_of_kubevirt(case["domain"][name], uses)
            if not plan or not plan["admitted"]:
                codes = ", ".join(sorted({r["code"] for r in plan["reasons"]})) if plan else complaints.strip()
                codes = codes.removeprefix("rtvmd plan: %s: " % case["name"])
                differences.append(("refused", "accepted", "%s (exit %d)" % (codes, status)))
            else:
                ours = facts_of_plan(plan["placement"])
                differences += [(key, kubevirt[key], ours[key]) for key in kubevirt if kubevirt[key] != ours[key]]
                differences += [(text, "", "") for text in check_rules(plan["placement"], exclusive)]
            agreed += not differences
            for what, theirs, ours in differences:
                why = known_difference(case, what, theirs, plan, ("2Mi", "1Gi", "2048Ki", "1024Mi"), str(ours))
                unknown += why is None
                print("%s: %s: kubevirt %s, rtvmd %s%s" % (case["name"], what, theirs, ours,
                                                         " (known: %s)" % why if why else ""))
    print("%d cases: KubeVirt v1.1.0 gives the domain an IO thread that no disk uses; newer ones and rtvmd do not" % idle)
    print("%d cases compared, %d agree, %d differences not known" % (compared, agreed, unknown))
    return 1 if unknown or not compared else 0


sys.exit(main())
