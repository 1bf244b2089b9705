# SPDX-License-Identifier: Apache-2.0
"""The engine beside ONNX Runtime and PyTorch over the zoo: all alive at once, run in turns."""

import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

from measure import BIN, PEERS, Spread, Table, Unmeasured
from zoo import zoo

SLICE_S = 0.25
ANSWER_S = 300
# What the monitor starts an enclave with: threads that wait for others soon let go of their core.
AS_SERVED = {"GOMP_SPINCOUNT": "2000", "OMP_DYNAMIC": "FALSE"}
IMAGES = ("lenet-5", "alexnet", "mobilenet-v1", "mobilenet-v2", "squeezenet", "resnet-18", "resnet-50",
          "resnet-152", "vgg-16", "vgg-19", "googlenet", "inception-v3", "densenet-121", "densenet-201",
          "yolov3-tiny")
# What is run of text models: a name for it, and what their symbols stand for.
TEXTS = {"bert-base": {"128 tokens": {"sequence": 128}},
         "gpt-2-small": {"prompt of 128": {"sequence": 128, "past_sequence": 0, "total_sequence": 128},
                         "one token after 128": {"sequence": 1, "past_sequence": 128, "total_sequence": 129}}}


class Engine:
    """A program that holds one model and runs it when asked, over its standard streams."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=os.environ | AS_SERVED)
        self.started = self.answer("load_ms")

    def answer(self, key):
        watchdog = threading.Timer(ANSWER_S, self.process.kill)
        watchdog.start()
        try:
            for line in iter(self.process.stdout.readline, ""):
                found = json.loads(line) if line.startswith("{") else {}
                if key in found:
                    return found
        finally:
            watchdog.cancel()
        raise Unmeasured(self.process.communicate()[1].strip()[-300:] or "it does not answer")

    def run(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return self.answer("median_ms")["median_ms"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def onnxruntime():
    """The library of npm's onnxruntime-node, which `./dev bench` has fetched."""
    path = os.environ.get("CASEMATE_ONNXRUNTIME", "")
    if not path or not pathlib.Path(path).exists():
        raise Unmeasured("ONNX Runtime 1.30 is not there: it comes from npm (onnxruntime-node), which this machine lacks")
    return path


def commands(path, threads, symbols):
    words = [f"{name}={extent}" for name, extent in symbols.items()]
    return {"casemate": (BIN / "casemate-perf-engine", path, threads, *words),
            "onnxruntime": (PEERS / "engine_peer", onnxruntime(), path, threads, *words)}


def measure(path, threads, symbols, rounds):
    """Times of each engine by round, and what each said when it had started."""
    engines = {}
    try:
        for name, command in commands(path, threads, symbols).items():
            engines[name] = Engine(*command)
        times = {name: [] for name in engines}
        for name, engine in engines.items():
            engine.run(SLICE_S / 4)
        for turn in range(rounds):
            order = list(engines) if turn % 2 == 0 else list(reversed(engines))
            for name in order:
                times[name].append(engines[name].run(SLICE_S))
        return times, {name: engine.started for name, engine in engines.items()}
    finally:
        for engine in engines.values():
            engine.close()


def cases(models):
    for model in (*IMAGES, *TEXTS):
        if models and model not in models:
            continue
        for what, symbols in TEXTS.get(model, {"": {}}).items():
            yield model, what, symbols


def main(rounds, models=(), threads=(1, 2), batches=(1, 8)):
    table = Table(f"The engine in-process against ONNX Runtime 1.30, {rounds} rounds in turns; ratios below 1 are ours",
                  ("model", "batch", "threads", "casemate ms", "onnxruntime ms", "ratio", "load", "peak memory"))
    ratios = []
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder:
        folder = pathlib.Path(os.environ.get("CASEMATE_ZOO", folder))
        for model, what, symbols in cases(models):
            path = folder / f"{model}.onnx"
            if not path.exists():
                zoo(model, "-o", path)
            for batch in batches:
                for count in threads:
                    try:
                        times, started = measure(path, count, {"batch": batch, **symbols}, rounds)
                    except Unmeasured as why:
                        table.add(f"{model} {what}", batch, count, f"not measured: {why}", "", "", "", "")
                        continue
                    ours, theirs = times["casemate"], times["onnxruntime"]
                    ratio = Spread([a / b for a, b in zip(ours, theirs)])
                    ratios.append(ratio.median)
                    share = {key: started["casemate"][key] / started["onnxruntime"][key]
                             for key in ("load_ms", "peak_kib")}
                    table.add(f"{model} {what}", batch, count, Spread(ours).text(3), Spread(theirs).text(3),
                              ratio.text(3), f"{share['load_ms']:.2f}", f"{share['peak_kib']:.2f}")
                    print(*table.rows[-1], sep="  ", file=sys.stderr, flush=True)
    table.show()
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"\nGeometric mean of the ratios {mean:.3f}, largest {max(ratios):.3f}, "
              f"{sum(r > 1 for r in ratios)} of {len(ratios)} above 1.")
