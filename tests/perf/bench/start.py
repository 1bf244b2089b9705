# SPDX-License-Identifier: Apache-2.0
"""How many enclaves a second come from a template, against sandboxes of others, and what memory
one more costs."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import tempfile

import numpy as np

from measure import BIN, PEERS, Server, Spread, Table, Unmeasured, met, repository, run_one
from sandboxes import CONTAINER, sandboxes

SECONDS = 0.5  # of each run of ours
TIMES = {"fork": 200, "bwrap": 20, "crun": 10, "runc": 4}  # ditto of others
RATE = 600  # a second on a core
AGAINST_BWRAP = 5
MIB = 1.5
WALLS = 10  # enclaves of each round whose walls are looked at, one by one
TEXTS = {
    "ours": "an enclave of LeNet-5 from its template, until it runs behind all walls",
    "fork": "a fork of a small program whose child ends at once; no walls",
    "bwrap": "bwrap --unshare-all true; 7 namespaces, no filter, no limits",
    "crun": "crun run true; 5 namespaces, no filter, no limits",
    "runc": "runc run true; 5 namespaces, no filter, no limits",
}
CONFIG = """
repository = "{models}"
[gateway]
listen = "127.0.0.1:0"
[[partition]]
name = "one"
models = ["lenet-5"]
standby = false
[[partition]]
name = "another"
models = ["mobilenet-v1"]
standby = false
"""


class Starter:
    """casemate-perf-starter, all of it on one core, with its template loaded."""

    def __init__(self, model, core):
        self.process = subprocess.Popen([BIN / "casemate-perf-starter", model, str(core)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Unmeasured(f"casemate-perf-starter: {self.process.stderr.read().strip()}")
        return json.loads(line)

    def order(self, text):
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait(30)


def start_ours(starter):
    found = starter.order(f"start {SECONDS}")
    return found["starts"] / found["seconds"], found["cpu_us"] / 1e3


def start_others(name, sandbox, core):
    around, command = sandbox.get(name, ([], []))
    found = run_one("taskset", "-c", core, *around, PEERS / "spawn_peer", TIMES[name],
                    *(f"casemate-{core}" if word == CONTAINER else word for word in command))
    return 1e3 / found["mean_ms"], found["cpu_ms"]


def refused(sandbox, core):
    """Of the sandboxes that do not run here: what they say."""
    said = {}
    for name in sandbox:
        try:
            start_others(name, sandbox, core)
        except Unmeasured as why:
            said[name] = str(why).strip().splitlines()[-1]
    return said


def rates(rounds, models, folder):
    cores = sorted(os.sched_getaffinity(0))[-2:]
    sandbox = sandboxes(folder)
    missing = refused(sandbox, cores[0])
    names = [name for name in TEXTS if name not in missing]
    one = {name: [] for name in names}
    cpu = {name: [] for name in names}
    two = {name: [] for name in names}
    starters = {core: Starter(models["lenet-5"], core) for core in cores}

    def launch(name, core):
        return start_ours(starters[core]) if name == "ours" else start_others(name, sandbox, core)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        for number in range(rounds):
            for name in names if number % 2 == 0 else reversed(names):
                rate, used = launch(name, cores[number % len(cores)])
                one[name].append(rate)
                cpu[name].append(used)
                if len(cores) == 2:
                    both = pool.map(launch, (name, name), cores)
                    two[name].append(sum(rate for rate, _ in both))
            starters[cores[0]].order(f"walls {WALLS}")
    for starter in starters.values():
        starter.end()
    show_rates(rounds, one, cpu, two, missing)


def show_rates(rounds, one, cpu, two, missing):
    table = Table(f"Starts a second, {rounds} rounds of {SECONDS} s of ours, in turns, each launcher "
                  "and all that it starts on one core",
                  ("what", "one launcher", "two, together", "processor ms each", "against bwrap",
                   "bar"))
    for name in one:
        bar = ""
        if name == "ours":
            bar = (f"{met(Spread(one[name]).median >= RATE)} ({RATE}), "
                   f"{met(ratio(one, name).median >= AGAINST_BWRAP)} ({AGAINST_BWRAP} × bwrap)")
        table.add(TEXTS[name], Spread(one[name]).text(0),
                  Spread(two[name]).text(0) if two[name] else "one core", Spread(cpu[name]).text(2),
                  f"{ratio(one, name).text(2)} ×", bar)
    table.show()
    for name, why in missing.items():
        print(f"\n{name}: cannot run here: {why}")
    print(f"\nThe walls of {WALLS} enclaves of each round were looked at from outside, and stood.")


def ratio(rate, name):
    """Of rates of the same round."""
    return Spread([a / b for a, b in zip(rate[name], rate["bwrap"])])


def instance_of(server, model):
    """The process that serves this model: the oldest child of its template, whose parent is the
    monitor. They have the same file as their model."""
    size = pathlib.Path(model).stat().st_size
    parents, found = {}, []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            words = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            parents[int(entry.name)] = int(words[1])
            if (entry / "root/model/model.onnx").stat().st_size == size:
                found.append((int(words[19]), int(entry.name)))
        except (OSError, IndexError, ValueError):
            continue
    clones = [pid for _, pid in sorted(found)
              if parents.get(parents.get(parents[pid])) == server.process.pid]
    if not clones:
        raise Unmeasured(f"no instance of {model} lives")
    return clones[0]


def private_kib(pid):
    """What a process has written, or read of a stream, and shares with nobody: activations, streams,
    all other; page tables. A second process of its kind has as much again and shares everything else,
    weights among it, so by this grows the sum of all proportional set sizes. Activations are the
    memory that no dump may show ("dd")."""
    kib = {"activations": 0, "streams": 0, "other": 0}
    area, dirty = "", 0
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match("[0-9a-f]+-", line):
            area = line
        elif line.startswith("Private_Dirty:"):
            dirty = int(line.split()[1])
        elif line.startswith("VmFlags:"):
            kind = "activations" if "dd" in line.split() else "other"
            if re.search("/memfd:(bulk|requests|replies)", area):
                kind = "streams"
            elif area.split()[1].endswith("s"):
                continue  # also where it is the only one that has touched it
            kib[kind] += dirty
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return *kib.values(), int(re.search(r"VmPTE:\s+(\d+)", status)[1])


def memory(models, folder):
    table = Table("Memory of one more enclave of a model: what the sum of all proportional set sizes "
                  "grows by",
                  ("model", "requests answered", "activations", "streams", "all other", "page tables",
                   "bar"))
    where = repository(f"{folder}/repository", models)
    with Server(CONFIG.format(models=where)) as server:
        for name, model in models.items():
            shape = [1, 1, 32, 32] if name == "lenet-5" else [1, 3, 224, 224]
            np.save(f"{folder}/{name}.npy", np.full(shape, 0.5, np.float32))
            for asked in (0, 100):
                if asked:
                    run_one(BIN / "casemate-load", "--json", server.url, name,
                            f"input={folder}/{name}.npy", 50, asked / 50, 1)
                found = private_kib(instance_of(server, model))
                table.add(name, asked, *(f"{kib / 1024:.2f} MiB" for kib in found),
                          f"{met(found[2] <= MIB * 1024)} ({MIB} MiB)")
    table.show()


def main(rounds):
    if os.geteuid() != 0:
        raise Unmeasured("only root may make all walls and look at them")
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder:
        models = {}
        for name in ("lenet-5", "mobilenet-v1"):
            models[name] = pathlib.Path(folder) / f"{name}.onnx"
            subprocess.run([BIN / "casemate", "zoo", name, "-o", models[name]], check=True,
                           capture_output=True)
        rates(rounds, models, folder)
        memory(models, folder)
