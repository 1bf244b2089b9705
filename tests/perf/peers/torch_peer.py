#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A model in PyTorch, run when asked:

    torch_peer.py MODEL.onnx THREADS INPUTS [WARM.onnx]

The protocol is that of timed_runs.h. What was chosen, so that this is PyTorch at its best:
  - the model as onnx_torch.py writes it, traced for the shapes of INPUTS and frozen, in inference mode;
  - images and the weights of convolutions as channels last, and torch.jit.optimize_for_inference,
    which folds normalisation into convolutions and has oneDNN run them; texts are frozen alone: it
    gained 2 % on BERT, and on GPT-2 it did not end within minutes;
  - the fastest matrix product of Debian, OpenBLAS on OpenMP's threads, which PyTorch's own are; the
    reference BLAS, which Debian gives it unless it is told otherwise, is 25 times slower;
  - torch.set_num_threads, which is what a user sets, and the environment as it is.
"""

import json
import pathlib
import sys
import time
import warnings

import onnx
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
from onnx_torch import OnnxModule  # noqa: E402
from tensors import read_tensors, write_tensors  # noqa: E402

WARM_RUNS = 3  # the profiling executor rewrites what it has seen twice


def say(**facts):
    print(json.dumps(facts), flush=True)


def peak_kib():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


def image(tensor):
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor


def load(path, example):
    model = onnx.load(path)
    module = OnnxModule(model, example).eval()
    del model
    inputs = tuple(example[name] for name in module.names)
    pictures = any(node.op == "Conv" for node in module.nodes)
    if pictures:
        inputs = tuple(image(tensor) for tensor in inputs)
    traced = torch.jit.freeze(torch.jit.trace(module, inputs, check_trace=False))
    if pictures:
        traced = torch.jit.optimize_for_inference(traced)
    return traced, inputs, module.outputs


def zeros(path):
    """Inputs for a model that is only loaded: zeros, and 1 for whatever varies."""
    ports = onnx.load(path).graph.input
    return {port.name: torch.zeros([dim.dim_value or 1 for dim in port.type.tensor_type.shape.dim])
            for port in ports}


def serve(run, names):
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "write":
            write_tensors(rest[0], {name: value.contiguous().numpy() for name, value in zip(names, run())})
            say(written=rest[0])
            continue
        seconds, times = float(word), []
        cpu, begin = time.process_time(), time.perf_counter()
        while len(times) < 2 or time.perf_counter() - begin < seconds:
            start = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - start))
        times.sort()
        say(runs=len(times), median_ms=times[len(times) // 2], min_ms=times[0], peak_kib=peak_kib(),
            cpu_ms=1e3 * (time.process_time() - cpu) / len(times))


def main():
    # The trace is for these shapes alone, as is meant.
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    path, threads, inputs, *warm = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.set_num_interop_threads(1)
    with torch.inference_mode():
        for other in warm:
            load(other, zeros(other))
        example = {name: torch.from_numpy(array) for name, array in read_tensors(inputs).items()}
        begin = time.perf_counter()
        model, arguments, names = load(path, example)
        say(load_ms=1e3 * (time.perf_counter() - begin), peak_kib=peak_kib(), version=torch.__version__)

        def run():
            return model(*arguments)

        for _ in range(WARM_RUNS):
            run()
        serve(run, names)


if __name__ == "__main__":
    main()
