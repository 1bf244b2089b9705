# SPDX-License-Identifier: Apache-2.0
"""A fresh enclave with its jail from a template, against sandboxes that start /bin/true."""

import os
import pathlib
import signal
import tempfile
import time

from measure import PEERS, SOURCE, Server, Spread, Table, Unmeasured, met, run_one
from sandboxes import sandboxes

INSTANCES = 20  # a round
CONFIG = """
repository = "{models}"
[gateway]
listen = "127.0.0.1:0"
[[partition]]
name = "digits"
models = ["digits"]
[partition.restart]
stable_ms = 1
backoff_ms_first = 1
backoff_ms_max = 1
failures_max = 1000000
"""


def instances(server):
    """The process that serves the model and, behind it, the spare: the children, by age, of the
    active template, which is a child of the monitor and older than the standby's."""
    parents, programs, births = {}, {}, {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name, rest = (entry / "stat").read_text().rsplit(")", 1)
        except OSError:
            continue
        parents[int(entry.name)] = int(rest.split()[1])
        births[int(entry.name)] = int(rest.split()[19])
        programs[int(entry.name)] = name.split("(", 1)[1]
    ours = [pid for pid, template in parents.items() if programs[pid] == "casemate-model"
            and parents.get(parents.get(template)) == server.process.pid]
    template = min((parents[pid] for pid in ours), key=lambda pid: (births[pid], pid), default=None)
    return sorted((pid for pid in ours if parents[pid] == template),
                  key=lambda pid: (births[pid], pid))


def wait_for_another(server, before):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        enclave = server.enclave("digits")
        now = instances(server)
        if enclave["state"] == "running" and len(now) == 2 and now[0] not in before[:1]:
            return enclave
        time.sleep(0.005)
    raise Unmeasured("no fresh instance came within 5 s")


def ours(server, count, spare):
    """Ends instances; the monitor tells how long each fresh one took, from asking its template.
    Without `spare` the one that waits is ended first."""
    times = []
    for _ in range(count):
        before = instances(server)
        for pid in before[:1] if spare else reversed(before):
            os.kill(pid, signal.SIGKILL)
        times.append(wait_for_another(server, before)["start_us"] / 1e3)
    return sorted(times)[count // 2]


def main(rounds):
    table = Table(f"A fresh, jailed process, {rounds} rounds of {INSTANCES}, in turns",
                  ("what", "ms", "against bwrap", "bar"))
    results = {"ours": [], "alone": [], "bwrap": [], "crun": []}
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder:
        sandbox = sandboxes(folder)
        with Server(CONFIG.format(models=SOURCE / "models")) as server:
            for _ in range(rounds):
                results["ours"].append(ours(server, INSTANCES, True))
                results["alone"].append(ours(server, INSTANCES, False))
                for name in ("bwrap", "crun"):
                    found = run_one(*sandbox[name][0], PEERS / "spawn_peer", INSTANCES,
                                    *sandbox[name][1])
                    results[name].append(found["median_ms"])
    spread = {name: Spread(values) for name, values in results.items()}
    for name, text in (("ours", "an enclave from its template, with model and jail, until it serves"),
                       ("alone", "the same, where the spare has been killed too"),
                       ("bwrap", "bwrap --unshare-all /bin/true"), ("crun", "crun run /bin/true")):
        bar = f"{met(spread[name].median <= 2)} (2 ms)" if name == "ours" else ""
        table.add(text, spread[name].text(2),
                  f"{spread[name].median / spread['bwrap'].median:.2f} ×", bar)
    table.show()
