#!/usr/bin/env python3
"""Web sockets to a running VM's console, spoken by hand: streams.py SOCKET PID NAME, with the daemon's unix socket and
process. Wrong upgrades, wrong frames, clients that do not read or do not go, fifty at once, the VM deleted amid them:
each ends as it should, and nothing of it stays in the daemon. Prints what failed; exit status 1 then."""
import os
import socket
import struct
import sys
import time

PATH = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/"
SOCKET, PID, NAME = sys.argv[1:4]
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "plain.kubevirt.io"}
failures = 0


def check(good, what, why=""):
    global failures
    if not good:
        failures += 1
        print(f"failed: {what}: {why!r}"[:1500])


def facts():
    with open(f"/proc/{PID}/status") as f:
        status = dict(line.split(":", 1) for line in f)
    return len(os.listdir(f"/proc/{PID}/fd")), int(status["Threads"]), int(status["RssAnon"].split()[0])


def ask(path, headers, method="GET"):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(SOCKET)
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items() if v is not None)
    s.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        more = s.recv(1)
        if not more:
            break
        head += more
    return s, head.decode()


def console(**changed):
    return ask(PATH + NAME + "/console", {**UPGRADE, **changed})


def frame(opcode, payload=b"", fin=True, masked=True, length=None, reserved=0):
    size = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | reserved | opcode])
    bit = 0x80 if masked else 0
    head += bytes([bit | size]) if size < 126 else bytes([bit | 126]) + struct.pack(">H", size) if size < 65536 else \
        bytes([bit | 127]) + struct.pack(">Q", size)
    mask = b"\1\2\3\4" if masked else b""
    return head + mask + bytes(b ^ (mask[i & 3] if masked else 0) for i, b in enumerate(payload))


def rest(s, seconds=10):
    """What comes until the other end closes; None when it does not."""
    s.settimeout(seconds)
    data = b""
    try:
        while more := s.recv(65536):
            data += more
    except ConnectionError:
        pass
    except TimeoutError:
        return None
    return data


def wrong_upgrades():
    for changed, code in (({"Upgrade": None}, 400), ({"Upgrade": "h2c"}, 400), ({"Connection": "close"}, 400),
                          ({"Sec-WebSocket-Version": "12"}, 400), ({"Sec-WebSocket-Key": None}, 400),
                          ({"Sec-WebSocket-Key": "x" * 5000}, 400)):
        s, head = console(**changed)
        check(f" {code} " in head[:15] and "application/json" in head, f"upgrade with {str(changed)[:60]}", head)
        s.close()
    s, head = console(**{"Sec-WebSocket-Protocol": "plain.kubevirt.io.evil"})
    check(" 101 " in head[:15] and "Sec-WebSocket-Protocol" not in head, "a protocol that only begins like ours", head)
    s.close()
    s, head = console(**{"Sec-WebSocket-Protocol": "other, plain.kubevirt.io"})
    check("Sec-WebSocket-Protocol: plain.kubevirt.io\r\n" in head, "our protocol among others", head)
    s.close()


def pour(s, data):
    """Sends that again and again; how much went in three seconds, or until the other end closed."""
    s.setblocking(False)
    sent, end = 0, time.time() + 3
    while time.time() < end and sent < 64 << 20:
        try:
            sent += s.send(data[sent % len(data):])
        except BlockingIOError:
            time.sleep(0.01)
        except ConnectionError:
            break
    return sent


def wrong_frames():
    for what, bytes_ in (("unmasked", frame(2, b"x", masked=False)), ("reserved bit", frame(2, b"x", reserved=0x40)),
                         ("unknown opcode", frame(5, b"x")), ("unknown control", frame(12, b"x")),
                         ("long ping", frame(9, b"p" * 126)), ("ping in pieces", frame(9, b"p", fin=False)),
                         ("a rest of nothing", frame(0, b"x")), ("a message in a message", frame(2, b"a", fin=False) + frame(2, b"b")),
                         ("a length without end", frame(2, b"x", length=1 << 63))):
        s, _ = console()
        s.sendall(bytes_)
        answer = rest(s)
        check(answer is not None and answer.endswith(b"\x88\x02\x03\xea"), f"a frame that is wrong ({what}): 1002", answer and answer[-20:])
        s.close()
    s, _ = console()  # the pieces of a huge frame are passed on as they come, as far as the guest takes them
    s.sendall(frame(2, b"", length=1 << 40))
    sent = pour(s, b"\0" * 16384)
    check(sent < 8 << 20, "a frame of a terabyte waits for the guest", sent)
    s.close()
    s, _ = console()
    s.sendall(frame(9, b"hello") + frame(2, b"a", fin=False) + frame(9, b"between") + frame(0, b"b"))
    s.sendall(frame(8, struct.pack(">H", 1000)))
    answer = rest(s)
    check(answer is not None and b"\x8a\x05hello" in answer and b"\x8a\x07between" in answer and answer.endswith(b"\x88\x02\x03\xe8"),
          "pings are answered, also between pieces, and a close", answer and answer[-60:])
    s.close()


def never_reads():
    before = facts()[2]
    s, _ = console()
    sent = pour(s, frame(9, b"p" * 125) * 100)
    check(sent < 8 << 20, "who pings and does not read is not listened to for ever", sent)
    grown = facts()[2] - before
    check(grown < 4096, "and costs little memory (KiB)", grown)
    s.close()


def many():
    """Each new one takes over; fifty at once that are refused to take over change nothing."""
    opened = [console() for _ in range(50)]
    check(all(" 101 " in head[:15] for _, head in opened), "fifty consoles, one after the other", [head for _, head in opened if " 101 " not in head[:15]])
    sockets = [s for s, _ in opened]
    ended = sum(rest(s, 5) is not None for s in sockets[:-1])
    check(ended == 49, "of fifty consoles the last one is left", ended)
    for _ in range(50):
        s, head = ask(PATH + NAME + "/console?preserveSession=true", UPGRADE)
        check(" 503 " in head[:15], "an active console is preserved", head)
        s.close()
    check(rest(sockets[-1], 0.5) is None, "and goes on")
    for s in sockets:
        s.close()


def deleted():
    s, _ = console()
    stopped, head = ask(PATH.replace("instances/", "s/") + NAME + "/stop", {"Content-Length": "0"}, "PUT")
    stopped.close()
    check(" 202 " in head[:15], "stop", head)
    answer = rest(s, 30)
    check(answer is not None and answer.endswith(b"\x88\x02\x03\xe8"), "a VM that is stopped ends its console with 1000", answer and answer[-20:])
    s.close()
    started, head = ask(PATH.replace("instances/", "s/") + NAME + "/start", {"Content-Length": "0"}, "PUT")
    started.close()
    for _ in range(100):
        s, head = console()
        s.close()
        if " 101 " in head[:15]:
            break
        check(" 400 " in head[:15] or " 404 " in head[:15] or " 500 " in head[:15], "a console of what does not run", head)
        time.sleep(0.3)
    check(" 101 " in head[:15], "the console of the next one", head)


wrong_upgrades()
time.sleep(1)
begin = facts()
for test in wrong_upgrades, wrong_frames, never_reads, many, deleted:
    test()
for _ in range(50):
    now = facts()
    if now[0] <= begin[0]:
        break
    time.sleep(0.2)
check(now[0] <= begin[0], "no descriptor is left", (begin, now))
check(now[1] <= begin[1], "no thread is left", (begin, now))
check(now[2] <= begin[2] + 4096, "no memory is left (KiB)", (begin, now))
sys.exit(failures > 0)
