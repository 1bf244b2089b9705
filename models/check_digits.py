#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what the digit model claims, with arithmetic that shares nothing with its training.

    python3 models/check_digits.py [--data ../shared/data/mnist]

Every node of the file is computed here in numpy, straight from the ONNX operator definitions, so a
mistake in the export cannot hide behind the library that made it. Without --data only the pictures
are read: each must be recognized with a clear margin, however it is made 28 pixels wide.
"""

import argparse
import pathlib
import sys

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import helper, numpy_helper
from PIL import Image

import mnist

HERE = pathlib.Path(__file__).parent
PROBABILITY_MIN = 0.9  # what "a clear margin" means for a picture of ours
CHUNK = 500


def conv(attributes, x, weight):
    """[N,C,H,W] with [M,C,K,K] to [N,M,H',W'], stride 1, no groups: what this model uses."""
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = sliding_window_view(x, weight.shape[2:], (2, 3))
    return np.tensordot(windows, weight, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)


def batch_normalization(attributes, x, scale, bias, mean, variance):
    """Each channel by its own statistics; float32 throughout, as the engines compute."""
    scale, bias, mean, variance = (each.reshape(-1, 1, 1) for each in (scale, bias, mean, variance))
    return (x - mean) / np.sqrt(variance + np.float32(attributes["epsilon"])) * scale + bias


def max_pool(attributes, x):
    assert attributes["kernel_shape"] == attributes["strides"] == [2, 2]
    count, channels, height, width = x.shape
    x = x[:, :, :height // 2 * 2, :width // 2 * 2]
    return x.reshape(count, channels, height // 2, 2, width // 2, 2).max((3, 5))


def gemm(attributes, x, weight, bias):
    return x @ (weight.T if attributes.get("transB") else weight) + bias


def softmax(_, x):
    powers = np.exp(x - x.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


OPERATORS = {
    "Conv": conv,
    "BatchNormalization": batch_normalization,
    "Relu": lambda _, x: np.maximum(x, 0),
    "MaxPool": max_pool,
    "Flatten": lambda _, x: x.reshape(len(x), -1),
    "Gemm": gemm,
    "Softmax": softmax,
}


def run(model, image):
    """The model's probabilities [N,10] for `image` [N,1,28,28]."""
    values = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    values[model.graph.input[0].name] = image
    for node in model.graph.node:
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        inputs = [values[name] for name in node.input]
        values[node.output[0]] = OPERATORS[node.op_type](attributes, *inputs)
    return values[model.graph.output[0].name]


def plain_bilinear(grey, side):
    """Four neighbours of each sample point and no low-pass filter: the crudest resize in use."""
    def weights(size):
        at = np.clip((np.arange(side) + 0.5) * size / side - 0.5, 0, size - 1)
        low = np.minimum(np.floor(at).astype(int), size - 2)
        return low, at - low

    row, down = weights(grey.shape[0])
    column, along = weights(grey.shape[1])
    lines = grey[row] * (1 - down)[:, None] + grey[row + 1] * down[:, None]
    return lines[:, column] * (1 - along) + lines[:, column + 1] * along


def resized(picture, side):
    """The picture made `side` wide in each way a client may do it."""
    size = (side, side)
    return {
        "plain": plain_bilinear(np.asarray(picture, np.float32), side),
        "bilinear": np.asarray(picture.resize(size, Image.Resampling.BILINEAR), np.float32),
        "area": np.asarray(picture.resize(size, Image.Resampling.BOX), np.float32),
    }


def check_pictures(model, scale, folder):
    """Prints a line per picture; true if the model reads all of them."""
    paths = sorted(folder.glob("digit-*.png"))
    good = len(paths) > 0
    if not good:
        print(f"{folder}: no pictures here; draw_digits.py makes them")
    for path in paths:
        digit = int(path.stem.split("-")[1])
        grey = Image.open(path).convert("L")
        ways = resized(grey, mnist.SIDE)
        pixels = np.stack(list(ways.values()))[:, None]
        if path.stem.endswith("-paper"):
            pixels = 255 - pixels
        found = run(model, (pixels * scale).astype(np.float32))
        fine = (found.argmax(1) == digit).all() and found[:, digit].min() >= PROBABILITY_MIN
        told = [f"{way} {row.argmax()} {row.max():.4f}" for way, row in zip(ways, found)]
        told.append("" if fine else "WRONG")
        print(f"{path.name:18} {grey.width:3d}x{grey.height:<3d}", *told, sep="  ")
        good = good and fine
    return good


def check_claim(model, scale, claimed, folder):
    """Counts the test images that the file gets right; true if it is what the file says."""
    images, labels = mnist.read_split(folder, "t10k")
    correct = 0
    for start in range(0, len(images), CHUNK):
        batch = (images[start:start + CHUNK, None] * scale).astype(np.float32)
        correct += int((run(model, batch).argmax(1) == labels[start:start + CHUNK]).sum())
    print(f"{correct}/{len(images)} test images right, the file claims {claimed}")
    return claimed == f"{correct}/{len(images)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with the MNIST files; without it: pictures only")
    parser.add_argument("--model", type=pathlib.Path, default=HERE / "digits/1/model.onnx")
    parser.add_argument("--pictures", type=pathlib.Path, default=HERE / "pictures")
    options = parser.parse_args()
    model = onnx.load(options.model)
    onnx.checker.check_model(model, full_check=True)
    properties = {each.key: each.value for each in model.metadata_props}
    scale = float(properties["casemate.input.image.scale"])
    good = check_pictures(model, scale, options.pictures)
    if options.data:
        claimed = properties["casemate.test.correct"]
        good = check_claim(model, scale, claimed, options.data) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
