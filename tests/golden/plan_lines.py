#!/usr/bin/env python3
"""Plans manifests on a host and prints a line per VM.

usage: plan_lines.py RTVMD HOST MANIFEST..."""
import json
import os
import subprocess
import sys


def ranges(numbers):
    numbers, parts = sorted(numbers), []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(a) if a == b else "%d-%d" % (a, b) for a, b in parts) or "-"


def line(decision):
    if not decision["admitted"]:
        text = "refused: " + ", ".join(reason["code"] for reason in decision["reasons"])
        return text + "".join("; " + suggestion for suggestion in decision["suggestions"])
    placement = decision["placement"]
    if placement["vcpus"]:
        parts = ["vCPUs " + " ".join(str(cpu) for cpu in placement["vcpus"].values())]
    else:
        parts = ["floats on " + ranges(placement["shared"])]
    parts.append("emulator %s%s" % (ranges(placement["emulator"]), " (own)" if placement["emulatorIsExclusive"] else ""))
    if placement["parked"]:
        parts.append("parked " + ranges(placement["parked"]))
    mixed = len({cell["pageBytes"] for cell in placement["cells"]}) > 1
    for cell in placement["cells"]:
        pages = cell["memoryBytes"] // cell["pageBytes"] if cell["pageBytes"] else 0
        parts.append("cell on node %d: vCPUs %s, %d pages" % (cell["hostNode"], ranges(cell["vcpus"]), pages))
        if mixed:
            parts[-1] += " of %d MiB" % (cell["pageBytes"] >> 20)
    if placement["memoryNodes"] and not placement["cells"]:
        parts.append("memory on node " + ranges(placement["memoryNodes"]))
    return "; ".join(parts)


rtvmd, host = sys.argv[1:3]
for manifest in sys.argv[3:]:
    done = subprocess.run([rtvmd, "plan", "-f", manifest, "--host", host, "-o", "json"], capture_output=True, text=True,
                          check=False)
    print("%s: exit %d" % (os.path.basename(manifest)[:-len(".yaml")], done.returncode))
    decisions = json.loads(done.stdout) if done.stdout else {"items": []}
    for item in decisions.get("items", [decisions]):
        print("  %s: %s" % (item["name"], line(item)))
