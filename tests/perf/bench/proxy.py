# SPDX-License-Identifier: Apache-2.0
"""What `casemate proxy` adds: the same requests over TLS to the gateway and through the proxy, in turns, by h2load."""

import json
import pathlib
import re
import signal
import statistics
import struct
import subprocess
import tempfile
import time

from measure import BIN, SOURCE, Server, Spread, Table, Unmeasured, met

LATENCY_BAR_US = 100
THROUGHPUT_BAR = 0.9
BATCHES = (1, 64)
CONNECTIONS = 4


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


def main(rounds):
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder:
        config = f'repository = "{SOURCE / "models"}"\n[gateway]\nlisten = "127.0.0.1:0"\n'
        with Server(config) as server, Proxy(server.url) as proxy:
            latency = Table("One client, one request at a time: median us, and what the proxy adds",
                            ("request", "items", "direct (TLS)", "through the proxy", "added", f"at most {LATENCY_BAR_US}"))
            rate = Table(f"{CONNECTIONS} clients: requests/s, and the proxy's share of direct",
                         ("request", "items", "direct (TLS)", "through the proxy", "ratio", f"at least {THROUGHPUT_BAR}"))
            for kind, make in (("REST, binary", rest_request), ("gRPC", grpc_request)):
                for count in BATCHES:
                    measure_one(folder, (server.url, proxy.url), kind, count, make(folder, count), rounds, latency, rate)
            latency.show()
            rate.show()


def measure_one(folder, urls, kind, count, request, rounds, latency, rate):
    alone, crowd = ([], []), ([], [])
    for url in urls:
        load(folder, url, request, 200, CONNECTIONS)  # so that nobody's first time counts
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            alone[side].append(load(folder, urls[side], request, 2000 // count + 200, 1)[0])
        for side in (1, 0) if number % 2 == 0 else (0, 1):
            crowd[side].append(load(folder, urls[side], request, 8000 // count + 400, CONNECTIONS)[1])
    added = Spread([p - d for d, p in zip(*alone)])
    latency.add(kind, count, Spread(alone[0]).text(0), Spread(alone[1]).text(0), added.text(0),
                met(added.median <= LATENCY_BAR_US))
    ratio = Spread([p / d for d, p in zip(*crowd)])
    rate.add(kind, count, Spread(crowd[0]).text(0), Spread(crowd[1]).text(0), ratio.text(),
             met(ratio.median >= THROUGHPUT_BAR))
