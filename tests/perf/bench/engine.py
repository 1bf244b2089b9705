# SPDX-License-Identifier: Apache-2.0
"""The engine beside ONNX Runtime and PyTorch over the zoo: in a partition, behind all walls, where
the bars are, and in-process. All engines of a case are alive at once and run in turns."""

import os
import pathlib
import statistics
import sys
import tempfile
import time

from engines import START
from measure import Spread, Table, Unmeasured
from ratios import Ratio, summary, turns
from tensors import difference, made_up, read_tensors, write_tensors
from zoo import zoo

SLICE_S = 0.25
PAUSE_S = 0.02  # engines' threads that still spin for more work fall asleep
# Two right engines differ by less in the order of their sums. ResNet-152 with random weights makes much of little:
# plain sums of ours are 1.2e-3 from ONNX Runtime's there, with Winograd's method 2.5e-3. Where they quantise they
# differ by some steps: what lies near a half in one layer falls to either side, and the layers behind carry it on.
AGREEMENT = {"": 5e-3, "qdq": 0.05, "dynamic": 0.1}
OURS = ("partitioned", "in-process")
PEER = "onnxruntime"
IMAGES = ("lenet-5", "alexnet", "mobilenet-v1", "mobilenet-v2", "squeezenet", "resnet-18", "resnet-50",
          "resnet-152", "vgg-16", "vgg-19", "googlenet", "inception-v3", "densenet-121", "densenet-201",
          "yolov3-tiny")
# What is run of text models: a name for it, and what their symbols stand for.
TEXTS = {"bert-base": {"128 tokens": {"sequence": 128}},
         "gpt-2-small": {"prompt of 128": {"sequence": 128, "past_sequence": 0, "total_sequence": 128},
                         "one token after 128": {"sequence": 1, "past_sequence": 128, "total_sequence": 129}}}
# Quantised forms of them, as `casemate zoo --quantised` writes them: named resnet-50-qdq and so on.
QUANTISED = {"mobilenet-v2": "qdq", "squeezenet": "qdq", "resnet-18": "qdq", "resnet-50": "qdq",
             "googlenet": "qdq", "vgg-16": "qdq", "bert-base": "dynamic"}


class Case:
    """One model at one batch size: its file, and a file of inputs that all engines get."""

    def __init__(self, folder, path, ports, model, what, batch, symbols, form=""):
        self.path, self.batch = path, batch
        self.agreement = AGREEMENT[form]
        # PyTorch has no ONNX of its own, and what reads files for it knows no integers.
        self.left_out = ("pytorch",) if form else ()
        self.name = f"{model}, {what}" if what else model
        self.symbols = [f"{name}={extent}" for name, extent in {"batch": batch, **symbols}.items()]
        self.inputs = folder / "inputs"
        self.folder = folder
        write_tensors(self.inputs, made_up(ports, {"batch": batch, **symbols}))

    def start(self, engine, threads):
        return START[engine](self.path, threads, self.inputs, self.symbols)


class Group:
    """Engines by name, all alive; who does not start or fails is left out, and why is said."""

    def __init__(self, case, names, threads, failures):
        self.case, self.failures, self.alive = case, failures, {}
        for name in (name for name in names if name not in case.left_out):
            self.attempt(name, lambda name=name: self.alive.update({name: case.start(name, threads)}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for engine in self.alive.values():
            engine.close()

    def attempt(self, name, action):
        try:
            return action()
        except Unmeasured as why:
            self.drop(name, why)
            return None

    def each(self, action, order=None):
        """What action(name, engine) says of each, by name."""
        found = {}
        for name in order or list(self.alive):
            if name in self.alive:
                found[name] = self.attempt(name, lambda name=name: action(name, self.alive[name]))
        return {name: found[name] for name in found if name in self.alive}

    def drop(self, name, why):
        self.failures.append(f"{self.case.name}, batch {self.case.batch}: {name}: {why}")
        if name in self.alive:
            self.alive.pop(name).close()


def drop_those_who_disagree(group):
    """The same inputs must give the same outputs; an engine that says something else is not timed."""
    def outputs(name, engine):
        path = group.case.folder / f"outputs.{name}"
        engine.write(path)
        tensors = dict(enumerate(read_tensors(path).values()))
        path.unlink()
        return tensors

    found = group.each(outputs)
    for name in set(found) - {PEER} if PEER in found else ():
        apart = difference(found[name], found[PEER])
        if apart > group.case.agreement:
            group.drop(name, f"its outputs are not ONNX Runtime's: {apart:.1e} apart")


def time_runs(case, names, threads, rounds, failures):
    """Milliseconds by engine and round."""
    with Group(case, names, threads, failures) as group:
        drop_those_who_disagree(group)
        group.each(lambda _, engine: engine.run(SLICE_S / 4))
        times = {name: [] for name in group.alive}
        for number, order in enumerate(turns(list(group.alive), rounds)):
            if threads == 1:
                hold_on_one_core(group, number)
            for name, answer in group.each(in_a_slice, order).items():
                times[name].append(answer["median_ms"])
        return {name: times[name] for name in group.alive}


def hold_on_one_core(group, number):
    """Cores of a virtual machine are not equally fast, and an engine stays where it is: so all of them
    compute on the same core in a round, and on the next one in the next."""
    cores = sorted(os.sched_getaffinity(0))
    group.each(lambda _, engine: engine.hold(cores[number % len(cores)]))


def in_a_slice(_, engine):
    time.sleep(PAUSE_S)
    return engine.run(SLICE_S)


def load(case, name, failures):
    """One fresh process: how long it takes to load, and its peak memory then and after runs."""
    with Group(case, [name], 1, failures) as group:
        found = group.each(lambda _, engine: {
            "start_ms": engine.loaded.get("start_ms", 0), "load_ms": engine.load_ms(),
            "session_ms": engine.session_ms(), "loaded_kib": engine.peak_kib(engine.loaded), "peak_kib": engine.peak_kib(engine.run(0))})
        return found.get(name)


def time_loads(case, names, count, failures):
    """Facts of each load, by engine. The file is in the page cache: it has just been read."""
    with open(case.path, "rb") as file:
        while file.read(1 << 24):
            pass
    loads = {name: [] for name in names}
    for order in turns(names, count):
        for name in order:
            found = load(case, name, failures) if name in loads else None
            if found:
                loads[name].append(found)
            else:
                loads.pop(name, None)  # it would fail again
    return loads


class Report:
    def __init__(self, rounds, loads, names):
        self.names = names
        self.ratios = {name: [] for name in names if name != PEER}
        self.against_pytorch = []
        self.loading = {name: [] for name in OURS}
        self.sessions = {"partitioned": []}
        self.memory = {name: [] for name in OURS}
        self.failures = []
        self.runs = Table(
            f"The engine in a partition and in-process, beside ONNX Runtime 1.30 and PyTorch 2.6: milliseconds, "
            f"{rounds} rounds in turns; ratios below 1 are ours",
            ("model", "batch", "threads", "partitioned", "to ONNX Runtime", "in-process", "to ONNX Runtime",
             "ONNX Runtime", "PyTorch", "partitioned to PyTorch"))
        self.loads = Table(
            f"Loading, one thread, median of {loads} fresh processes in turns, and peak memory, to ONNX Runtime's",
            ("model", "batch", "partitioned ms", "ratio", "of it load and compile", "ratio", "in-process ms", "ratio", "ONNX Runtime ms", "PyTorch ms",
             "whole system ms", "memory loaded: partitioned", "in-process", "after runs: partitioned",
             "in-process", "ONNX Runtime MiB"))

    def add_runs(self, case, threads, times):
        what = f"{case.name}, batch {case.batch}, {threads} threads"
        spread = {name: Spread(values).text(3) for name, values in times.items()}
        ratio = {}
        for name in self.ratios:
            if name in times and PEER in times:
                ratio[name] = Ratio(what, times[name], times[PEER])
                self.ratios[name].append(ratio[name])
        pytorch = ""
        if "partitioned" in times and "pytorch" in times:
            found = Ratio(what, times["partitioned"], times["pytorch"])
            self.against_pytorch.append(found)
            pytorch = found.text()

        def text(name):
            return ratio[name].text() if name in ratio else "-"

        self.add(self.runs, case.name, case.batch, threads, spread.get("partitioned", "-"), text("partitioned"),
                 spread.get("in-process", "-"), text("in-process"), spread.get(PEER, "-"),
                 spread.get("pytorch", "-"), pytorch or "-")

    def add_loads(self, case, loads):
        def median(name, key):
            return statistics.median(found[key] for found in loads[name]) if name in loads else None

        def share(name, key, kept=None):
            if name not in loads or PEER not in loads:
                return "-"
            ratio = Ratio.of_medians(f"{case.name}, batch {case.batch}",
                                     *([found[key] for found in loads[each]] for each in (name, PEER)))
            if kept is not None:
                kept[name].append(ratio)
            return f"{ratio.median:.2f}"

        def ms(name, key="load_ms"):
            return f"{median(name, key):.1f}" if name in loads else "-"

        self.add(self.loads, case.name, case.batch, ms("partitioned"), share("partitioned", "load_ms", self.loading),
                 ms("partitioned", "session_ms"), share("partitioned", "session_ms", self.sessions),
                 ms("in-process"), share("in-process", "load_ms", self.loading), ms(PEER), ms("pytorch"),
                 ms("partitioned", "start_ms"), share("partitioned", "loaded_kib"), share("in-process", "loaded_kib"),
                 share("partitioned", "peak_kib", self.memory), share("in-process", "peak_kib", self.memory),
                 f"{median(PEER, 'peak_kib') / 1024:.0f}" if PEER in loads else "-")

    @staticmethod
    def add(table, *cells):
        """Also to whoever watches: the whole takes hours."""
        table.add(*cells)
        print(*table.rows[-1], sep="  ", file=sys.stderr, flush=True)

    def show(self):
        self.runs.show()
        print("\nRatios to ONNX Runtime's time (bars, on the partitioned path: none above 1.00, geometric mean 0.85):\n")
        for name, ratios in self.ratios.items():
            print(f"- {name}: {summary(ratios)}")
        if self.against_pytorch:
            print(f"- partitioned, to PyTorch's: {summary(self.against_pytorch)}")
        if len(self.loads.rows) > 1:
            self.loads.show()
            print("\nRatios to ONNX Runtime's (bars: loading 1.00, memory 0.90):\n")
            for what, kept in (("loading", self.loading), ("of it load and compile", self.sessions),
                               ("peak memory", self.memory)):
                for name, ratios in kept.items():
                    print(f"- {what}, {name}: {summary(ratios)}")
        for failure in self.failures:
            print(f"\nNot measured: {failure}")
        sys.stdout.flush()


def cases(folder, models, batches):
    ports = {facts["name"]: facts["inputs"] for facts in zoo()}
    kept = pathlib.Path(os.environ.get("CASEMATE_ZOO", folder))
    plain = [(model, model, "") for model in (*IMAGES, *TEXTS)]
    quantised = [(f"{model}-{form}", model, form) for model, form in QUANTISED.items()]
    for name, model, form in (*plain, *quantised):
        if models and name not in models:
            continue
        path = kept / f"{name}.onnx"
        if not path.exists():
            zoo(model, "-o", path, *(("--quantised", form) if form else ()))
        for what, symbols in TEXTS.get(model, {"": {}}).items():
            for batch in batches:
                yield Case(folder, path, ports[model], name, what, batch, symbols, form)
        if kept == folder:
            path.unlink()


def main(rounds, models=(), threads=(1, 2), batches=(1, 8), loads=5, engines=tuple(START)):
    report = Report(rounds, loads, engines)
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder:
        for case in cases(pathlib.Path(folder), models, batches):
            if loads:
                report.add_loads(case, time_loads(case, engines, loads, report.failures))
            for count in threads:
                report.add_runs(case, count, time_runs(case, engines, count, rounds, report.failures))
    report.show()
