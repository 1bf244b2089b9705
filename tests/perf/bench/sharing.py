# SPDX-License-Identifier: Apache-2.0
"""Several models on one device, each an enclave's: in turns, each with all of it, or at once, each
with a share. And what a tenant that takes all it can costs its neighbour."""

import os
import pathlib
import tempfile
import time

from engines import Partitioned
from measure import BIN, Spread, Table, met
from processes import descendants, processor_s
from ratios import Ratio, turns
from tensors import made_up, write_tensors
from zoo import zoo

SLICE_S = 0.25  # of the whole device, for each tenant and round
TURN_US = 10_000
SETTLE_S = 0.05
BAR = 0.43
P99_BAR = 1.20
SYMBOLS = {"batch": 1, "sequence": 32}
PAIRS = (("lenet-5", "lenet-5"), ("lenet-5", "mobilenet-v1"), ("squeezenet", "resnet-18"),
         ("lenet-5", "bert-base"), ("mobilenet-v1", "bert-base"))
FOURS = (("lenet-5",) * 4, ("lenet-5", "mobilenet-v1", "squeezenet", "bert-base"))
# Of a neighbour: who it is, its share, how often it is called, and how long it rests between calls.
# With a quarter of two cores it has a core together with the one that takes all it can.
NEIGHBOURS = (("lenet-5", 50, 800, 1000), ("mobilenet-v1", 50, 200, 3000),
              ("lenet-5", 25, 800, 1000), ("mobilenet-v1", 25, 100, 20_000))


class Zoo:
    """Models and made-up inputs, written when they are first asked for."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.kept = pathlib.Path(os.environ.get("CASEMATE_ZOO", folder))
        self.ports = {facts["name"]: facts["inputs"] for facts in zoo()}

    def model(self, name):
        path, inputs = self.kept / f"{name}.onnx", self.folder / f"{name}.inputs"
        if not path.exists():
            zoo(name, "-o", path)
        if not inputs.exists():
            write_tensors(inputs, made_up(self.ports[name], SYMBOLS))
        symbols = ["batch", *(["sequence"] if "bert" in name else [])]
        shape = ",".join(f"{symbol}:{SYMBOLS[symbol]}" for symbol in symbols)
        return path, inputs, f"shape={shape}"


class Device(Partitioned):
    """A system of its own, whose models are called in turns or at once."""

    def __init__(self, models, how, share, names):
        words = [word for name in names for word in models.model(name)]
        self.names, self.share = names, share
        super().__init__((BIN / "casemate-perf-sharing", how, share, *words))

    def busy_s(self):
        """Processor time that its models' enclaves have had so far."""
        return processor_s((pid for name, pid, _ in descendants(self.system["monitor"])
                            if name in ("model", "casemate-model")))

    def measured(self, line):
        before = self.busy_s()
        answer = self.ask(line, "total_ms")
        answer["cores"] = (self.busy_s() - before) / (answer["total_ms"] / 1e3)
        return answer

    def in_turns(self, runs, turn_us=TURN_US, pause_us=0):
        return self.measured(f"turns {turn_us} {pause_us} {counts(runs)}")

    def at_once(self, runs):
        return self.measured(f"once {counts(runs)}")

    def alone(self, index, runs, pause_us=0):
        return self.in_turns([runs if i == index else 0 for i in range(len(self.names))], pause_us=pause_us)

    def rage(self, way, seconds):
        self.ask(f"rage {way} {int(seconds * 1e3)}", "total_ms")


def counts(runs):
    return " ".join(str(runs[i] if i < len(runs) else 0) for i in range(4))


def demands(device):
    """How many calls keep the whole device for a slice, of each, and how many cores that keeps busy."""
    runs, cores = [], []
    for index in range(len(device.names)):
        device.alone(index, 5)
        one = device.alone(index, 20)["tenants"][index]["median_ms"]
        runs.append(max(4, int(SLICE_S * 1e3 / one)))
        cores.append(device.alone(index, runs[index])["cores"])
    return runs, cores


def compare(models, names, rounds, table):
    share = 100 // len(names)
    devices = {}
    try:
        for how in ("time", "space"):
            devices[how] = Device(models, how, share, names)
        runs, alone = demands(devices["time"])
        devices["space"].at_once([min(count, 20) for count in runs])
        found = {how: [] for how in devices}
        for order in turns(list(devices), rounds):
            for how in order:
                time.sleep(SETTLE_S)
                ask = devices[how].in_turns if how == "time" else devices[how].at_once
                found[how].append(ask(runs))
    finally:
        for device in devices.values():
            device.close()
    add_comparison(table, names, runs, alone, found)


def add_comparison(table, names, runs, alone, found):
    total = {how: [answer["total_ms"] for answer in answers] for how, answers in found.items()}
    cores = {how: Spread([answer["cores"] for answer in answers]) for how, answers in found.items()}
    ratio = Ratio("", total["space"], total["time"])
    whole = os.cpu_count()
    # What is used in turns must fit into what is left of the time.
    room = cores["time"].median <= whole * (1 - BAR)
    less = 1 - ratio.median
    if room:
        verdict = f"{met(less >= BAR)} ({100 * BAR:.0f} % less)"
    else:
        verdict = f"no room: {cores['time'].median:.1f} of {whole} cores busy"
    table.add(" + ".join(names), " + ".join(str(count) for count in runs),
              " + ".join(f"{each:.1f}" for each in alone), Spread(total["time"]).text(0),
              Spread(total["space"]).text(0), ratio.text(), f"{100 * less:.0f} %",
              f"{cores['time'].median:.2f} → {cores['space'].median:.2f}", verdict)


def p99_beside(device, way, neighbour, runs, pause_us, length_s):
    """While the greedy one rages, or does nothing; it has done with that when this returns."""
    begin = time.monotonic()
    if way != "alone":
        device.rage(way, length_s)
        time.sleep(SETTLE_S)
    answer = device.alone(neighbour, runs, pause_us)
    if way != "alone":
        time.sleep(max(0.0, length_s - (time.monotonic() - begin)) + SETTLE_S)
    return answer["tenants"][neighbour]["p99_ms"]


def disturb(models, name, share, runs, pause_us, rounds, table):
    """One neighbour alone, beside one that spins, and beside one that writes memory. It is the one
    that shares a core with the greedy one, where cores are shared."""
    names = [name] * (100 // share - 1)
    neighbour = len(names) - 2 if share < 50 else 0
    ways = ("alone", "spin", "sweep")
    p99 = {way: [] for way in ways}
    device = Device(models, "space", share, names)
    try:
        device.rage("spin", 0.1)  # takes its memory
        length_s = 1.5 * device.alone(neighbour, runs, pause_us)["total_ms"] / 1e3
        for order in turns(ways, rounds):
            for way in order:
                p99[way].append(p99_beside(device, way, neighbour, runs, pause_us, length_s))
    finally:
        device.close()
    ratio = {way: Ratio("", p99[way], p99["alone"]) for way in ways[1:]}
    table.add(name, f"{share} %", *(Spread(p99[way]).text(2) for way in ways), ratio["spin"].text(),
              f"{met(ratio['spin'].median <= P99_BAR)} ({P99_BAR:.2f})", ratio["sweep"].text())


def main(rounds):
    whole = os.cpu_count()
    turned = Table(
        f"The same calls of several models, each an enclave's on {whole} cores: in turns of {TURN_US // 1000} ms, each with "
        f"all cores, and at once, each with an equal share; {rounds} rounds in turns, milliseconds",
        ("models", "calls", "cores busy, each alone", "shared in time", "shared in space", "ratio", "less",
         "cores busy", "bar"))
    greedy = Table(
        f"A neighbour's p99 in milliseconds beside a tenant with the same share that takes all it can; {rounds} rounds in turns",
        ("neighbour", "share", "alone", "beside one that spins", "beside one that writes memory", "spins, ratio", "bar",
         "writes memory, ratio"))
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder:
        models = Zoo(folder)
        for names in (*PAIRS, *FOURS):
            compare(models, names, rounds, turned)
        turned.show()
        for name, share, runs, pause_us in NEIGHBOURS:
            disturb(models, name, share, runs, pause_us, rounds, greedy)
        greedy.show()
