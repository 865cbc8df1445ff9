"""compare_topology.py HOST.json HWLOC.output | CELLS.json

Compares what `rtvmd host -o json` printed with what hwloc read from the same tree (lstopo's text, verbose or not), or
with a list of cells: CPUs, cores, packages, memory nodes and their memory. Prints every difference; exit status 1 when
there is one."""
import json
import re
import sys

differences = []


def expect(what, found, wanted):
    if found != wanted:
        differences.append(f"# {what}: found {found}, wanted {wanted}")


def parse_lstopo(path):
    """The tree by indentation: CPU -> (package, core object, nearest nodes), node -> KiB."""
    cpus, nodes, stack, has = {}, {}, [], set()
    for line in open(path, encoding="utf-8"):
        match = re.match(r"( *)([A-Z]\w*)(.*)", line)
        if not match or line.startswith("depth") or line.startswith("Special"):
            break
        depth, kind, rest = len(match[1]), match[2], match[3]
        number = re.search(r"P#(\d+)", rest)
        number = int(number[1]) if number else None
        has.add(kind)
        while stack and stack[-1]["depth"] >= depth:
            stack.pop()
        if kind == "NUMANode":
            memory = re.search(r"local=(\d+)KB", rest)
            nodes[number] = int(memory[1]) if memory else None
            # A memory-side cache stands between a node and what it is local to.
            next(at for at in reversed(stack) if at["kind"] != "MemCache")["nodes"].append(number)
            continue
        stack.append({"depth": depth, "kind": kind, "number": number, "nodes": []})
        if kind != "PU":
            continue
        place = {"package": None, "core": None, "core_object": None, "nodes": []}
        for at in reversed(stack):
            if at["kind"] == "Package":
                place["package"] = at["number"]
            if at["kind"] == "Core":
                place["core"], place["core_object"] = at["number"], id(at)
            place["nodes"] = place["nodes"] or at["nodes"]
        place["keep"] = list(stack)  # keeps the ids above distinct
        cpus[number] = place
    return cpus, nodes, has


def compare_lstopo(host, path):
    cpus, nodes, has = parse_lstopo(path)
    ours = {c["id"]: c for c in host["cpus"] if c["online"]}
    expect("online CPUs", sorted(ours), sorted(cpus))
    for number, place in cpus.items():
        c = ours.get(number)
        if not c:
            continue
        # Nodes that are local to the same CPUs hang side by side: ours must be among the nearest.
        expect(f"node of CPU {number}", c["node"], c["node"] if c["node"] in place["nodes"] else next(
            iter(place["nodes"]), None))
        if "Package" in has and place["package"] is not None:  # None: hwloc found its CPUs contradictory
            expect(f"package of CPU {number}", c["package"], place["package"])
        if "Core" in has:
            expect(f"core of CPU {number}", c["core"], place["core"])
            together = sorted(n for n, p in cpus.items() if p["core_object"] == place["core_object"])
            expect(f"siblings of CPU {number}", c["siblings"], together)
    expect("nodes", sorted(n["id"] for n in host["nodes"]), sorted(nodes))
    for n in host["nodes"]:
        if nodes.get(n["id"]) is not None:
            expect(f"memory of node {n['id']}", n["memoryBytes"], nodes[n["id"]] * 1024)


def compare_cells(host, cells):
    ours = {c["id"]: c for c in host["cpus"]}
    expect("nodes", [n["id"] for n in host["nodes"]], [c["id"] for c in cells])
    for node, cell in zip(host["nodes"], cells):
        expect(f"CPUs of node {cell['id']}", node["cpus"], sorted(c["id"] for c in cell["cpus"]))
        expect(f"memory of node {cell['id']}", node["memoryBytes"], cell["memoryKiB"] * 1024)
        expect(f"distances of node {cell['id']}", node["distances"], cell["distances"])
        for cpu in cell["cpus"]:
            expect(f"siblings of CPU {cpu['id']}", ours[cpu["id"]]["siblings"], cpu["siblings"])


with open(sys.argv[1], encoding="utf-8") as f:
    probed = json.load(f)
if sys.argv[2].endswith(".json"):
    with open(sys.argv[2], encoding="utf-8") as f:
        recorded = json.load(f)
    compare_cells(probed, recorded["cells"])
    expect("isolated CPUs", [c["id"] for c in probed["cpus"] if c["isolated"]], recorded["cpuset"])
else:
    compare_lstopo(probed, sys.argv[2])
if differences:
    print("\n".join(differences[:20]))
sys.exit(1 if differences else 0)
