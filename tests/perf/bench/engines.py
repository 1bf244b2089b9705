# SPDX-License-Identifier: Apache-2.0
"""Programs that hold one model each and run it when asked, over their standard streams: see
tests/perf/peers/timed_runs.h. Whatever becomes of one, nothing of it is left behind."""

import glob
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from measure import BIN, PEERS, SOURCE, Unmeasured
from processes import alive, descendants

ANSWER_S = 600
END_S = 30
# Loaded and dropped before the clock starts: what a process does once is not loading a model.
WARM = SOURCE / "models/digits/1/model.onnx"


class Engine:
    def __init__(self, command, environment=None, answer_s=ANSWER_S):
        self.answer_s = answer_s
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.log, text=True, env=os.environ | (environment or {}))
        try:
            self.loaded = self.first_answer()
        except BaseException:
            self.close()
            raise

    def first_answer(self):
        return self.answer("load_ms")

    def answer(self, key):
        """The next line that says something of `key`. A program that does not answer is ended."""
        watchdog = threading.Timer(self.answer_s, self.process.kill)
        watchdog.start()
        try:
            for line in iter(self.process.stdout.readline, ""):
                found = json.loads(line) if line.startswith("{") else {}
                if key in found:
                    return found
        finally:
            watchdog.cancel()
        self.process.wait()
        raise Unmeasured(self.last_words())

    def last_words(self):
        self.log.seek(0)
        return " ".join(self.log.read().decode(errors="replace").split())[-300:] or "it does not answer"

    def ask(self, text, key):
        try:
            self.process.stdin.write(f"{text}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # its last words say why
        return self.answer(key)

    def run(self, seconds):
        return self.ask(seconds, "median_ms")

    def write(self, path):
        self.ask(f"write {path}", "written")

    def load_ms(self):
        return self.loaded["load_ms"]

    def session_ms(self):
        """Of that, without what it takes to have a process: to read and to compile the model."""
        return self.load_ms()

    def working(self):
        """The processes that compute."""
        return [self.process.pid]

    def hold(self, core):
        """Has it compute on one core alone, where that may be said of its processes."""
        for pid in self.working():
            for task in glob.glob(f"/proc/{pid}/task/*"):
                try:
                    os.sched_setaffinity(int(pathlib.Path(task).name), {core})
                except OSError:
                    pass

    def peak_kib(self, answer):
        """The most memory that it had by the time of that answer of its own."""
        return answer["peak_kib"]

    def close(self):
        """Ends the program: by the end of its input, and if it does not hear that, at once."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


class Partitioned(Engine):
    """A system of its own: a monitor, a partition with the model, and one that asks it."""

    system = None
    reloaded = None

    def first_answer(self):
        self.system = self.answer("folder")
        return self.answer("start_ms")

    def load_ms(self):
        """To load the model once more, in new jails; starting all is another matter, and longer."""
        self.reloaded = self.ask("reload", "reload_ms")
        return self.reloaded["reload_ms"]

    def session_ms(self):
        return self.reloaded["session_ms"]

    def working(self):
        return [pid for name, pid, _ in descendants(self.system["monitor"]) if name == "model"]

    def peak_kib(self, answer):
        """Of the model's processes the one that had most; they share its weights. The monitor's
        copy of the model's file is not in it, as the page cache's is not in the others'."""
        return max((peak for name, _, peak in descendants(self.system["monitor"])
                    if name in ("model", "casemate-model")), default=0)

    def close(self):
        super().close()
        if self.system is None:
            return
        # The monitor ends with whoever started it, and all that it started with the monitor.
        deadline = time.monotonic() + END_S
        while alive(self.system["monitor"]) and time.monotonic() < deadline:
            time.sleep(0.01)
        shutil.rmtree(self.system["folder"], ignore_errors=True)


def onnxruntime():
    """The library of npm's onnxruntime-node, which `./dev bench` has fetched."""
    path = os.environ.get("CASEMATE_ONNXRUNTIME", "")
    if not path or not pathlib.Path(path).exists():
        raise Unmeasured("ONNX Runtime 1.30 is not there: it comes from npm (onnxruntime-node), which this machine lacks")
    return path


def openblas():
    """The folder of Debian's OpenBLAS, or of another that is named."""
    folders = [os.environ.get("CASEMATE_OPENBLAS", ""), *glob.glob("/usr/lib/*/openblas-openmp")]
    for folder in folders:
        if folder and pathlib.Path(folder, "libblas.so.3").exists():
            return folder
    raise Unmeasured("PyTorch's products would be 25 times slower than need be: there is no OpenBLAS "
                     "(libopenblas0-openmp; CASEMATE_OPENBLAS names the folder of its libblas.so.3)")


def start_partitioned(path, threads, inputs, symbols):
    return Partitioned((BIN / "casemate-perf-served", path, threads, inputs, *symbols))


def start_in_process(path, threads, inputs, symbols):
    return Engine((BIN / "casemate-perf-engine", path, threads, "--inputs", inputs, "--warm", WARM,
                   *symbols))


def start_onnxruntime(path, threads, inputs, _):
    return Engine((PEERS / "engine_peer", onnxruntime(), path, threads, inputs, WARM))


def start_pytorch(path, threads, inputs, _):
    script = SOURCE / "tests/perf/peers/torch_peer.py"
    return Engine((sys.executable, script, path, threads, inputs, WARM),
                  {"LD_LIBRARY_PATH": openblas()})


# In the order in which tables have them.
START = {"partitioned": start_partitioned, "in-process": start_in_process,
         "onnxruntime": start_onnxruntime, "pytorch": start_pytorch}
