#!/usr/bin/env python3
"""Many clients at once, and clients that misbehave. Prints TAP; test_api_load.sh runs it.

200 watchers follow what 100 writers do: every watcher must be told every change, once, in the same order, and replaying
what it was told must give what the server lists. Then nothing may be left: no descriptor, no thread, no memory."""
import json
import os
import selectors
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

RTVMD = os.environ.get("RTVMD_BINARY") or os.path.join(os.environ.get("BUILD", "build"), "rtvmd")
MAPS = "/api/v1/namespaces/default/configmaps"
WATCHERS, WRITERS, OBJECTS = 200, 100, 4
number = failures = 0


def result(good, name, why=""):
    global number, failures
    number += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
    if not good and why:
        print("# " + str(why)[:2000].replace("\n", "\n# "), flush=True)


class Daemon:
    def __init__(self, folder, *more):
        self.socket = os.path.join(folder, "socket")
        self.log = os.path.join(folder, "log")
        self.process = subprocess.Popen(
            [RTVMD, "serve", "--state-dir", os.path.join(folder, "state"), "--socket", self.socket, "--libvirt",
             "test:///default", "--log-level", "warn", *more], stderr=open(self.log, "w"))
        end = time.time() + 10
        while time.time() < end:
            try:
                if self.ask("GET", "/readyz")[0] == 200:
                    break
            except OSError:
                time.sleep(0.05)
        time.sleep(1)  # the host has been tried, its thread is gone

    def dial(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(60)
        s.connect(self.socket)
        return s

    def ask(self, method, path, body=b"", headers="", s=None):
        """Status and body of one request; the connection is kept when it was given."""
        own = s is None
        s = s or self.dial()
        s.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        data = b""
        while b"\r\n\r\n" not in data:
            more = s.recv(65536)
            if not more:
                break
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        while len(rest) < length:
            rest += s.recv(65536)
        if own:
            s.close()
        return int(head.split()[1]) if head else 0, rest

    def facts(self):
        """Descriptors, threads, anonymous memory in KiB."""
        pid = self.process.pid
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.split(":", 1) for line in f)
        return len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"]), int(status["RssAnon"].split()[0])

    def settle(self, wanted_fds):
        """Waits until the server has seen that the clients are gone."""
        end = time.time() + 10
        while time.time() < end and self.facts()[0] > wanted_fds:
            time.sleep(0.1)
        return self.facts()

    def end(self):
        self.process.terminate()
        return self.process.wait(20)


class Watchers:
    """All in one thread: connects them, collects the lines each was sent."""

    def __init__(self, daemon, count, path):
        self.lines = [[] for _ in range(count)]
        self.rest = [b""] * count
        self.ended = [False] * count
        self.sockets = []
        self.selector = selectors.DefaultSelector()
        for i in range(count):
            s = daemon.dial()
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            s.setblocking(False)
            self.sockets.append(s)
            self.selector.register(s, selectors.EVENT_READ, i)

    def take(self, i, data):
        # chunk sizes and line ends of HTTP stand between the events, which begin with {"type"
        data = self.rest[i] + data
        *whole, self.rest[i] = data.split(b"\n")
        self.lines[i] += [line for line in whole if line.startswith(b'{"type"')]

    def follow(self, done, timeout):
        end = time.time() + timeout
        while time.time() < end and not done():
            for key, _ in self.selector.select(0.2):
                try:
                    data = key.fileobj.recv(1 << 20)
                except BlockingIOError:
                    continue
                except ConnectionError:
                    data = b""
                if data:
                    self.take(key.data, data)
                else:
                    self.ended[key.data] = True
                    self.selector.unregister(key.fileobj)
        return done()

    def close(self):
        for s in self.sockets:
            s.close()


def config_map(name, value):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"v": value}}).encode()


def writer(daemon, w, problems):
    """Makes objects, changes each three times, deletes every other one. One connection for all of it."""
    s = daemon.dial()
    merge = "Content-Type: application/merge-patch+json\r\n"
    for o in range(OBJECTS):
        name = f"w{w}-{o}"
        answers = [daemon.ask("POST", MAPS, config_map(name, "0"), s=s)[0]]
        for v in range(1, 4):
            answers.append(daemon.ask("PATCH", f"{MAPS}/{name}", json.dumps({"data": {"v": str(v)}}).encode(), merge, s)[0])
        if o % 2:
            answers.append(daemon.ask("DELETE", f"{MAPS}/{name}", s=s)[0])
        if answers != [201, 200, 200, 200] + [200] * (o % 2):
            problems.append((name, answers))
    s.close()


def replay(lines):
    """The objects a watcher knows at the end, and the versions in the order it was told them."""
    objects, versions = {}, []
    for line in lines:
        event = json.loads(line)
        metadata = event["object"]["metadata"]
        name = metadata["name"]
        versions.append(int(metadata["resourceVersion"]))
        known = name in objects
        if (event["type"] == "ADDED") == known or event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
            raise ValueError(f"{event['type']} of {name}, which is {'' if known else 'not '}known")
        if event["type"] == "DELETED":
            del objects[name]
        else:
            objects[name] = event["object"]
    return objects, versions


def load_round(daemon):
    version = json.loads(daemon.ask("GET", MAPS)[1])["metadata"]["resourceVersion"]
    watchers = Watchers(daemon, WATCHERS, f"{MAPS}?watch=true&resourceVersion={version}")
    problems = []
    threads = [threading.Thread(target=writer, args=(daemon, w, problems)) for w in range(WRITERS)]
    for t in threads:
        t.start()
    watchers.follow(lambda: not any(t.is_alive() for t in threads), 120)
    for t in threads:
        t.join()
    wanted = WRITERS * (OBJECTS * 4 + OBJECTS // 2)
    complete = watchers.follow(lambda: all(len(lines) >= wanted for lines in watchers.lines), 60)
    listed = {o["metadata"]["name"]: o for o in json.loads(daemon.ask("GET", MAPS)[1])["items"]}
    result(not problems, f"{WRITERS} clients write at once, every answer is right", problems)
    result(complete, f"{WATCHERS} watchers are told every change", [len(lines) for lines in watchers.lines if len(lines) != wanted][:5])
    try:
        first, versions = replay(watchers.lines[0])
        result(versions == sorted(set(versions)), "in order, each once")
        result(all(lines == watchers.lines[0] for lines in watchers.lines), "all of them the same")
        result(first == listed, "replaying what was told gives what is listed")
    except ValueError as e:
        result(False, "in order, each once", e)
    watchers.close()
    daemon.ask("DELETE", MAPS)


def reader_that_stops(daemon):
    """One watcher never reads while much is written; another one reads on."""
    version = json.loads(daemon.ask("GET", MAPS)[1])["metadata"]["resourceVersion"]
    path = f"{MAPS}?watch=true&resourceVersion={version}"
    lazy = daemon.dial()
    lazy.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    good = Watchers(daemon, 1, path)
    daemon.ask("POST", MAPS, config_map("big", "x"))
    s = daemon.dial()
    for i in range(120):
        daemon.ask("PATCH", f"{MAPS}/big", json.dumps({"data": {"v": str(i) + "x" * 100000}}).encode(),
                   "Content-Type: application/merge-patch+json\r\n", s)
        good.follow(lambda: False, 0.01)
    result(good.follow(lambda: len(good.lines[0]) == 121, 30), "a reader that stops does not hold up another one",
           len(good.lines[0]))
    got = 0
    try:
        while data := lazy.recv(1 << 20):
            got += len(data)
    except OSError as e:
        got = e
    result(isinstance(got, int) and got < 9 << 20, "and is cut off", got)
    good.close()
    s.close()
    lazy.close()
    daemon.ask("DELETE", MAPS)


def last_words(s):
    data = b""
    try:
        while more := s.recv(65536):
            data += more
    except OSError:
        pass
    return data


def is_status(answer, code, words):
    """A Kubernetes Status that names the limit."""
    try:
        status = json.loads(answer.split(b"\r\n\r\n", 1)[1])
        return status["kind"] == "Status" and status["code"] == code and words in status["message"]
    except (IndexError, ValueError, KeyError):
        return False


def misbehave(daemon):
    s = daemon.dial()
    head = f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nContent-Length: {100 << 20}\r\nConnection: close\r\n\r\n"
    try:
        s.sendall(head.encode())
        for _ in range(100):
            s.sendall(b"x" * (1 << 20))
    except OSError:
        pass
    answer = last_words(s)
    result(is_status(answer, 413, "longer than 3145728 bytes"), "a body of 100 MB is refused with 413", answer[:500])
    s = daemon.dial()
    s.sendall(b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(10000)) + b"\r\n")
    s.shutdown(socket.SHUT_WR)
    answer = last_words(s)
    result(is_status(answer, 431, "longer than 65536 bytes"), "10,000 headers are refused with 431", answer[:500])
    s = daemon.dial()
    s.sendall(b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(101)) + b"Connection: close\r\n\r\n")
    answer = last_words(s)
    result(is_status(answer, 431, "at most 100"), "101 headers are refused with 431", answer[:500])
    s = daemon.dial()
    s.sendall(b"What is this?\r\n\r\n")
    answer = last_words(s)
    result(is_status(answer, 400, "cannot be read"), "what is no HTTP is refused with 400", answer[:500])
    s = daemon.dial()
    s.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    s.shutdown(socket.SHUT_WR)
    last_words(s)
    s = daemon.dial()
    s.shutdown(socket.SHUT_WR)
    result(last_words(s) == b"", "a half-closed connection ends")


def trickle(daemon, answers):
    """Slow loris: one header line each second, for ever."""
    s = daemon.dial()
    begin = time.time()
    try:
        s.sendall(b"GET / HTTP/1.1\r\n")
        while time.time() - begin < 60:
            s.sendall(b"X: y\r\n")
            time.sleep(1)
    except OSError:
        pass
    answers.append((time.time() - begin, last_words(s)))


def tls(folder):
    daemon = Daemon(folder, "--listen", "127.0.0.1:0", "--log-level", "info")
    with open(daemon.log) as f:
        port = next(int(line.rsplit(":", 1)[1]) for line in f if "url=https" in line)

    def connect():
        s = socket.create_connection(("127.0.0.1", port), 10)
        return s

    s = connect()
    s.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
    result(b"200" not in last_words(s), "plain HTTP on the TLS port is refused")
    s = connect()
    s.sendall(os.urandom(4000))
    result(b"200" not in last_words(s), "garbage on the TLS port is refused")
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    s = anyone.wrap_socket(connect())
    s.sendall(b"GET /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    result(b" 401 " in last_words(s)[:20], "without certificate and token: 401")
    if shutil.which("openssl"):
        key, certificate = os.path.join(folder, "key"), os.path.join(folder, "cert")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=rtvmd:admin/CN=evil", "-keyout",
                        key, "-out", certificate], check=True, capture_output=True)
        anyone.load_cert_chain(certificate, key)
        try:
            s = anyone.wrap_socket(connect())
            s.sendall(b"GET /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = last_words(s)
        except OSError as e:
            answer = str(e).encode()
        result(b" 200 " not in answer[:20], "a certificate of somebody else's CA is refused", answer)
    result(daemon.ask("GET", "/readyz")[0] == 200, "the daemon is unharmed")
    result(daemon.end() == 0, "and ends well")


def main():
    folder = tempfile.mkdtemp(prefix="rtvmd-load-")
    try:
        daemon = Daemon(folder)
        start = daemon.facts()
        slow = []
        loris = threading.Thread(target=trickle, args=(daemon, slow))
        loris.start()
        load_round(daemon)
        reader_that_stops(daemon)
        misbehave(daemon)
        load_round(daemon)
        load_round(daemon)  # the store's log of changes is as full as it gets
        loris.join()
        result(bool(slow) and 25 < slow[0][0] < 60 and b" 408 " in slow[0][1][:20], "a request that trickles in is cut off after 30 s", slow)
        before = daemon.settle(14)
        for _ in range(3):  # on a busy machine more waits at once, and the allocator keeps room for it: a leak grows each time
            load_round(daemon)
            after = daemon.settle(before[0])
            print(f"# descriptors, threads, anonymous KiB: {before} before, {after} after")
            if after[2] <= before[2] * 1.1 + 1024:
                break
            before = (*before[:2], after[2])
        result(after[0] <= before[0], "no descriptor is left", (before, after))
        result(after[1] <= before[1], "no thread is left", (before, after))
        result(after[2] <= before[2] * 1.1 + 1024, "memory does not grow from round to round", (before, after))
        # The daemon gives memory back when requests have ceased; what stays are the changes of the last five minutes,
        # 16 MiB at most and some of the pages they lie in (tests/unit/test_quiet.c has these go as well).
        allowed = start[2] + 40 * 1024
        end = time.time() + 60
        while time.time() < end and daemon.facts()[2] > allowed:
            time.sleep(1)
        quiet = daemon.facts()
        print(f"# anonymous KiB: {start[2]} at the start, {after[2]} under load, {quiet[2]} when it is quiet again")
        result(quiet[2] <= allowed, "memory is back when it is quiet", (start, after, quiet))
        result(daemon.end() == 0, "the daemon ends well")
        os.mkdir(os.path.join(folder, "tls"))
        tls(os.path.join(folder, "tls"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"1..{number}")
    sys.exit(failures > 0)


main()
