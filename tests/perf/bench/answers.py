# SPDX-License-Identifier: Apache-2.0
"""The same answers as ONNX Runtime, over TLS from a partition."""

import gzip
import tempfile

import numpy as np

from measure import (BIN, MNIST, MODELS_OF_OTHERS, PEERS, SOURCE, Server, Table, Unmeasured, met,
                     repository, resnet50, run_one)

CONNECTIONS = 4


def mnist():
    """10,000 pictures [n, 28, 28] of bytes, and their labels."""
    if not MNIST.exists():
        raise Unmeasured(f"the MNIST test set is not there ({MNIST})")
    images = gzip.decompress((MNIST / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((MNIST / "t10k-labels-idx1-ubyte.gz").read_bytes())
    return (np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28),
            np.frombuffer(labels, np.uint8, offset=8))


def both(server, folder, name, path, port, inputs, shape):
    """Outputs of both engines on the same inputs, and both sets of times."""
    inputs.astype(np.float32).tofile(f"{folder}/inputs")
    ours = run_one(BIN / "casemate-perf-answers", server.url, name, port, f"{folder}/inputs",
                   f"{folder}/ours", CONNECTIONS, *shape)
    theirs = run_one(PEERS / "onnxruntime_peer", path, f"{folder}/inputs", f"{folder}/theirs", 1,
                     *shape)
    rows = len(inputs)
    return (np.fromfile(f"{folder}/ours", np.float32).reshape(rows, -1),
            np.fromfile(f"{folder}/theirs", np.float32).reshape(rows, -1), ours, theirs)


def relative(ours, theirs):
    """The largest error of any output, relative to the largest output of its row."""
    return float((np.abs(ours - theirs) / np.abs(theirs).max(axis=1, keepdims=True)).max())


def digits(server, folder, table, models):
    images, labels = mnist()
    for name, (path, port, scale) in models.items():
        ours, theirs, times, _ = both(server, folder, name, path, port, images * np.float32(scale),
                                      (1, 1, 28, 28))
        same = int((ours.argmax(1) == theirs.argmax(1)).sum())
        right = int((ours.argmax(1) == labels).sum())
        table.add(name, len(images), f"{same} the same labels ({right} right)",
                  f"{relative(ours, theirs):.1e}", f"{times['per_s']:.0f}/s",
                  met(same == len(images)))


def main(rounds):
    del rounds  # answers do not vary
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder:
        models = {"digits": (SOURCE / "models/digits/1/model.onnx", "image", 1 / 255)}
        if MODELS_OF_OTHERS.exists():
            models["mnist_8"] = (MODELS_OF_OTHERS / "mnist_8.onnx", "Input3", 1)
        large = resnet50(folder)
        paths = {name: entry[0] for name, entry in models.items()} | {"resnet50": large}
        where = repository(f"{folder}/models", paths)
        table = Table("The same answers as ONNX Runtime 1.21 (Debian 13), one request per input over TLS",
                      ("model", "inputs", "result", "largest relative error", "rate", "bar"))
        with Server(f'repository = "{where}"\n[gateway]\nlisten = "127.0.0.1:0"\n') as server:
            digits(server, folder, table, models)
            noise = np.random.default_rng(1).standard_normal((32, 3, 224, 224), dtype=np.float32)
            ours, theirs, times, _ = both(server, folder, "resnet50", large, "input", noise,
                                          (1, 3, 224, 224))
            worst = relative(ours, theirs)
            table.add("resnet50, random weights", len(noise), f"{ours.shape[1]} logits each",
                      f"{worst:.1e}", f"{times['per_s']:.0f}/s", f"{met(worst <= 1e-4)} (1e-4)")
        table.show()
