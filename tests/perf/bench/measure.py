# SPDX-License-Identifier: Apache-2.0
"""What all benchmarks share: running programs that print JSON, a server to measure, and tables."""

import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parents[3]
RELEASE = SOURCE / "build/release"
PEERS = SOURCE / "build/peers"
BIN = RELEASE / "bin"
MODELS_OF_OTHERS = SOURCE.parent / "shared/data/models"
MNIST = SOURCE.parent / "shared/data/mnist"


class Unmeasured(Exception):
    """A benchmark cannot run here; the text says why."""


def run(*command):
    """Runs a program that prints one JSON object per line; returns the objects."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise Unmeasured(f"{pathlib.Path(command[0]).name}: {done.stderr.strip() or done.stdout}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def run_one(*command):
    return run(*command)[0]


class Spread:
    """Values of one figure over rounds: the median, and what it spread over."""

    def __init__(self, values):
        self.values = sorted(values)
        self.median = statistics.median(self.values)

    def text(self, digits=2, unit=""):
        low, high = self.values[0], self.values[-1]
        return f"{self.median:.{digits}f}{unit} ({low:.{digits}f}–{high:.{digits}f})"


class Table:
    """Rows of text under a title, printed aligned and as Markdown, so that it can be quoted."""

    def __init__(self, title, columns):
        self.title = title
        self.rows = [list(columns)]

    def add(self, *cells):
        self.rows.append([str(cell) for cell in cells])

    def show(self):
        widths = [max(len(row[i]) for row in self.rows) for i in range(len(self.rows[0]))]
        print(f"\n## {self.title}\n")
        for number, row in enumerate(self.rows):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
            if number == 0:
                print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        sys.stdout.flush()


def met(yes):
    return "met" if yes else "**missed**"


class Server:
    """`casemate serve` on a port of its own, with its state in a scratch folder. `lines` has what it
    has said, each with the time at which it came (time.monotonic())."""

    def __init__(self, config):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="casemate-bench-"))
        run_folder = self.folder / "run"
        run_folder.mkdir(mode=0o700)
        self.environment = dict(os.environ, CASEMATE_RUN=str(run_folder),
                                CASEMATE_STATE=str(self.folder / "state"))
        (self.folder / "system.toml").write_text(config)
        self.log = self.folder / "log"
        self.log.touch()
        self.lines = []
        self.process = subprocess.Popen(
            [BIN / "casemate", "serve", "--config", self.folder / "system.toml"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        with self.log.open("wb", buffering=0) as log:
            for line in self.process.stdout:
                self.lines.append((time.monotonic(), line.decode(errors="replace").rstrip()))
                log.write(line)

    def __enter__(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            text = self.log.read_text(errors="replace")
            if "\nwatch:" in text:
                self.url = next(line.split()[-1] for line in text.splitlines()
                                if line.startswith("serving on "))
                return self
            time.sleep(0.05)
        text = self.log.read_text(errors="replace")
        self.__exit__()
        raise Unmeasured(f"casemate serve did not start: {text}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        self.reader.join(5)
        shutil.rmtree(self.folder, ignore_errors=True)

    def status(self):
        # The monitor waits for no client that the machine does not let speak at once.
        for _ in range(5):
            done = subprocess.run([BIN / "casemate", "status", "--json"], capture_output=True,
                                  env=self.environment)
            if done.returncode == 0:
                return json.loads(done.stdout)
        raise Unmeasured(f"casemate status: {done.stderr.decode(errors='replace')}")

    def partition(self, name):
        return next(p for p in self.status()["partitions"] if p["name"] == name)

    def enclave(self, name):
        return next(e for e in self.status()["enclaves"] if e["name"] == name)


def repository(folder, models):
    """A model repository of links: models is {name: path of an ONNX file}."""
    for name, path in models.items():
        version = pathlib.Path(folder) / name / "1"
        version.mkdir(parents=True)
        shutil.copy(path, version / "model.onnx")
    return folder


def resnet50(folder):
    path = pathlib.Path(folder) / "resnet50.onnx"
    done = subprocess.run([sys.executable, SOURCE / "models/make_resnet50.py", "--out", path],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Unmeasured(f"models/make_resnet50.py: {done.stderr.strip().splitlines()[-1]}")
    return path
