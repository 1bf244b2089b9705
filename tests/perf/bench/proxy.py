# SPDX-License-Identifier: Apache-2.0
"""What `casemate proxy` adds: the same requests over TLS to the gateway, through the proxy, and through a relay that verifies
nothing, in turns, by h2load."""

import contextlib
import json
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import time

from measure import BIN, SOURCE, Server, Spread, Table, Unmeasured, met
from processes import family, processor_s
from ratios import turns

LATENCY_BAR_US = 100
THROUGHPUT_BAR = 0.9
BATCHES = (1, 64)
CONNECTIONS = 4
ALPN = {"REST, binary": "http/1.1", "gRPC": "h2"}


class Proxy:
    def __init__(self, url):
        self.process = subprocess.Popen([BIN / "casemate", "proxy", url, "--listen", "127.0.0.1:0", "--allow-software-root"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.url = self.line("proxy on ").split()[2]
        self.line("verified")

    def line(self, words):
        for line in self.process.stdout:
            if words in line:
                return line
        raise Unmeasured("casemate proxy did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.process.stdout.close()


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def images(count):
    return struct.pack(f"<{count * 784}f", *(((7 * i) % 97) / 97 for i in range(count * 784)))


def rest_request(folder, count):
    tensor = images(count)
    head = json.dumps({"inputs": [{"name": "image", "shape": [count, 1, 28, 28], "datatype": "FP32",
                                   "parameters": {"binary_data_size": len(tensor)}}],
                       "parameters": {"binary_data_output": True}}).encode()
    path = pathlib.Path(folder, f"rest-{count}")
    path.write_bytes(head + tensor)
    return ["--h1", "-d", path, "-H", f"Inference-Header-Content-Length: {len(head)}"], "/v2/models/digits/infer"


def grpc_request(folder, count):
    shape = b"".join(map(varint, (count, 1, 28, 28)))
    message = field(1, b"digits") + field(5, field(1, b"image") + field(2, b"FP32") + field(3, shape)) + \
        field(7, images(count))
    path = pathlib.Path(folder, f"grpc-{count}")
    path.write_bytes(b"\0" + struct.pack(">I", len(message)) + message)
    return ["--alpn-list=h2", "-d", path, "-H", "content-type: application/grpc", "-H", "te: trailers"], \
        "/inference.GRPCInferenceService/ModelInfer"


def children_s():
    """Processor time of the clients that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def load(folder, url, request, requests, connections):
    """Median latency in us, and requests per second."""
    log = pathlib.Path(folder, "log")
    log.unlink(missing_ok=True)
    options, path = request
    begin = time.monotonic()
    done = subprocess.run(["h2load", "-n", str(requests), "-c", str(connections), "-m", "1", "--groups=X25519MLKEM768",
                           "--log-file", log, *map(str, options), url + path], capture_output=True, text=True)
    seconds = time.monotonic() - begin
    if f"{requests} succeeded" not in done.stdout:
        raise Unmeasured(f"h2load: {done.stdout} {done.stderr}")
    found = re.search(r"finished in ([0-9.]+)(us|ms|s)", done.stdout)
    if found:
        seconds = float(found[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1}[found[2]]
    times = [int(line.split()[2]) for line in log.read_text().splitlines()]
    return statistics.median(times), requests / seconds


class Relay:
    """HAProxy, one thread, which relays bytes as `casemate proxy` does, speaks TLS to the server, and verifies nothing."""

    def __init__(self, folder, url):
        if shutil.which("haproxy") is None:
            raise Unmeasured("HAProxy is not installed (tools/packages.peers)")
        server = url.removeprefix("https://")
        self.sockets = {kind: socket.create_server(("127.0.0.1", 0)) for kind in ALPN}
        listeners = "".join(f"listen {name}\n  bind fd@{self.sockets[kind].fileno()}\n"
                            f"  server casemate {server} ssl verify none alpn {name}\n" for kind, name in ALPN.items())
        config = pathlib.Path(folder, "haproxy.cfg")
        config.write_text("global\n  nbthread 1\n  maxconn 64\ndefaults\n  mode tcp\n  timeout connect 5s\n"
                          "  timeout client 60s\n  timeout server 60s\n" + listeners)
        self.process = subprocess.Popen(["haproxy", "-q", "-db", "-f", config],
                                        pass_fds=[each.fileno() for each in self.sockets.values()])

    def url(self, kind):
        return f"http://127.0.0.1:{self.sockets[kind].getsockname()[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        for each in self.sockets.values():
            each.close()


class Side:
    """A way to the models: what it is called, its address for a kind of request, and whose processor time is its own."""

    def __init__(self, name, url, pid):
        self.name, self.url, self.pid = name, url, pid
        self.latency, self.rate = [], []
        self.spent = {"client": [], "server": [], "relay": []}

    def again(self):
        return Side(self.name, self.url, self.pid)

    def crowd(self, folder, kind, request, requests, server):
        """One round of several clients, and what it took of everybody."""
        before = used_s(server), used_s(self.pid), children_s()
        self.rate.append(load(folder, self.url(kind), request, requests, CONNECTIONS)[1])
        after = used_s(server), used_s(self.pid), children_s()
        for who, begin, end in zip(("server", "relay", "client"), before, after):
            self.spent[who].append((end - begin) / requests * 1e6)


def used_s(pid):
    return processor_s(family(pid)) if pid else 0


def main(rounds):
    latency = Table("One client, one request at a time: median us, and what a relay adds",
                    ("request", "items", "how", "latency", "added", f"at most {LATENCY_BAR_US}"))
    rate = Table(f"{CONNECTIONS} clients: requests/s, the share of direct, and us of processor time that a request takes",
                 ("request", "items", "how", "requests/s", "ratio", f"at least {THROUGHPUT_BAR}", "client",
                  "server with the model", "relay"))
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder, contextlib.ExitStack() as ends:
        config = f'repository = "{SOURCE / "models"}"\n[gateway]\nlisten = "127.0.0.1:0"\n'
        server = ends.enter_context(Server(config))
        proxy = ends.enter_context(Proxy(server.url))
        sides = [Side("direct (TLS)", lambda kind: server.url, None),
                 Side("casemate proxy", lambda kind: proxy.url, proxy.process.pid)]
        try:
            relay = ends.enter_context(Relay(folder, server.url))
            sides.append(Side("HAProxy, verifies nothing", relay.url, relay.process.pid))
        except Unmeasured as why:
            print(f"without its peer: {why}")
        for kind, make in (("REST, binary", rest_request), ("gRPC", grpc_request)):
            for count in BATCHES:
                measured = [side.again() for side in sides]
                measure(folder, measured, kind, count, make(folder, count), rounds, server.process.pid)
                show(kind, count, measured, latency, rate)
        latency.show()
        rate.show()


def measure(folder, sides, kind, count, request, rounds, server):
    for side in sides:
        load(folder, side.url(kind), request, 200, CONNECTIONS)  # so that nobody's first time counts
    for order in turns(sides, rounds):
        for side in order:
            side.latency.append(load(folder, side.url(kind), request, 2000 // count + 200, 1)[0])
        for side in order:
            side.crowd(folder, kind, request, 8000 // count + 400, server)


def show(kind, count, sides, latency, rate):
    direct = sides[0]
    for side in sides:
        added = Spread([mine - theirs for mine, theirs in zip(side.latency, direct.latency)])
        ratio = Spread([mine / theirs for mine, theirs in zip(side.rate, direct.rate)])
        compared = side is not direct
        latency.add(kind, count, side.name, Spread(side.latency).text(0), added.text(0) if compared else "",
                    met(added.median <= LATENCY_BAR_US) if compared else "")
        rate.add(kind, count, side.name, Spread(side.rate).text(0), ratio.text() if compared else "",
                 met(ratio.median >= THROUGHPUT_BAR) if compared else "",
                 *(Spread(side.spent[who]).text(0) for who in ("client", "server", "relay")))
