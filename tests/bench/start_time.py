"""How long a daemon takes from its start to listening, and what it holds in memory when it has nothing to do.

start_time.py ROUNDS PROGRAM...: prints "PROGRAM first-ms again-ms wall-ms cpu-ms rss-kib pss-kib private-kib", medians over the
rounds; the programs take turns. "first": with a state folder that is not there yet; "again": with the one it has made.
Both are without the time it was ready to run but had no CPU (other work on the machine is not its doing); "wall" is
"again" with it, "cpu" what it ran of it.

Of memory, RSS counts pages of libraries that libvirtd and QEMU have mapped as well as if they were the daemon's; PSS gives
it its share of them; private is what would be free without it. start_time.py --memory PID prints the three."""

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 20


def listens(path):
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
        except OSError:
            return False
    return True


def memory_kib(pid):
    """RSS, PSS, private; the last two are 0 for who may not look (the daemon is undumpable: only root may)."""
    kib = {"Rss": 0, "Pss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            for line in rollup:
                name, _, rest = line.partition(":")
                if name in kib:
                    kib[name] = int(rest.split()[0])
    except PermissionError:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            kib["Rss"] = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    return kib["Rss"], kib["Pss"], kib["Private_Clean"] + kib["Private_Dirty"]


def scheduled_ms(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as schedstat:
        ran_ns, waited_ns, _ = schedstat.read().split()
    return int(ran_ns) / 1e6, int(waited_ns) / 1e6


def start(program, folder):
    """Milliseconds to listening (see above), wall, CPU; then its memory once the daemon is idle."""
    path = os.path.join(folder, "s")
    command = [program, "serve", "--state-dir", os.path.join(folder, "state"), "--socket", path, "--libvirt", "test:///default"]
    with open(os.path.join(folder, "log"), "w+", encoding="utf-8") as log:
        begin = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log) as daemon:
            while not listens(path):
                if daemon.poll() is not None or time.monotonic() > begin + PATIENCE_S:
                    log.seek(0)
                    sys.exit(f"{program} does not listen: {log.read()}")
                time.sleep(0.0002)
            wall_ms = (time.monotonic() - begin) * 1000
            cpu_ms, waited_ms = scheduled_ms(daemon.pid)
            while "hypervisor uri=" not in open(log.name, encoding="utf-8").read():
                if time.monotonic() > begin + PATIENCE_S:
                    sys.exit(f"{program} does not get ready")
                time.sleep(0.01)
            time.sleep(0.1)
            memory = memory_kib(daemon.pid)
            daemon.send_signal(signal.SIGTERM)
    return wall_ms - waited_ms, wall_ms, cpu_ms, *memory


def main():
    if sys.argv[1] == "--memory":
        print(*memory_kib(int(sys.argv[2])))
        return
    rounds, programs = int(sys.argv[1]), sys.argv[2:]
    seen = {program: [] for program in programs}
    for _ in range(rounds):
        for program in programs:
            folder = tempfile.mkdtemp(dir=os.environ.get("BENCH_DIR"))
            try:
                first = start(program, folder)
                again = start(program, folder)
            finally:
                shutil.rmtree(folder)
            seen[program].append((first[0], *again))
    for program, rows in seen.items():
        print(program, *(f"{statistics.median(column):.1f}" for column in zip(*rows)))


main()
