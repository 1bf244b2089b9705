#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the digit model that the examples and the first minutes of the documentation serve.

    python3 models/train_digits.py --data ../shared/data/mnist

A LeNet-class network that fits in 250 KB. The schedule is fixed and the test images are looked at
once, after the last step, so the accuracy written into the file is an honest one. The same seed on
the same machine gives the same bytes: nothing in the file says when, where or by whom it was made.

Batch normalization stays a node of its own after each convolution, as exporters leave it, so that
folding it is work the engine really does.
"""

import argparse
import math
import pathlib
import sys

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import mnist

THREADS = 2  # part of the recipe: sums are split by thread, so another count gives other last bits
BATCH = 128
SCALE = 1.0 / 255.0


class Digits(nn.Module):
    """[N,1,28,28] in 0..1, ink bright, to [N,10] logits; the softmax is added on export."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, padding=2, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 5, bias=False)
        self.norm2 = nn.BatchNorm2d(32)
        self.hidden = nn.Linear(32 * 5 * 5, 56)
        self.output = nn.Linear(56, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        x = F.dropout(x.flatten(1), 0.1, self.training)
        return self.output(F.relu(self.hidden(x)))


def uniform(count, low, high, random):
    """`count` values from low..high, shaped [count,1,1,1] to multiply images with."""
    return torch.empty(count, 1, 1, 1).uniform_(low, high, generator=random)


def thickened(images, random):
    """A sixth of the strokes fatter, a sixth thinner: pens differ more than MNIST's do."""
    choice = uniform(len(images), 0, 1, random)
    amount = uniform(len(images), 0.2, 0.8, random)
    fat = F.max_pool2d(images, 3, 1, 1)
    thin = -F.max_pool2d(-images, 3, 1, 1)
    goal = torch.where(choice < 1 / 6, fat, torch.where(choice > 5 / 6, thin, images))
    return images + amount * (goal - images)


def augmented(images, strength, random):
    """Light rotation, scale, shear, shift, pen width and paper, all scaled by `strength` 0..1."""
    count = len(images)

    def spread(limit):
        return uniform(count, -limit * strength, limit * strength, random).view(count)

    angle, shear = spread(math.radians(12)), spread(0.12)
    scale_x, scale_y = 1 + spread(0.15), 1 + spread(0.15)
    cos, sin = torch.cos(angle), torch.sin(angle)
    # Rows of the inverse map: where in the original each pixel of the result comes from.
    top = torch.stack([cos * scale_x, (shear - sin) * scale_x, spread(2.5 / 14)], 1)
    bottom = torch.stack([sin * scale_y, cos * scale_y, spread(2.5 / 14)], 1)
    grid = F.affine_grid(torch.stack([top, bottom], 1), images.shape, align_corners=False)
    images = thickened(F.grid_sample(images, grid, align_corners=False), random)
    ink = 1 - strength * uniform(count, 0, 0.3, random)
    paper = strength * uniform(count, -0.1, 0.1, random).clamp(min=0)
    return paper + (ink - paper) * images


def train(images, labels, epochs, seed):
    """A trained model. One pass of warm-up and cosine decay; augmentation eases off at the end."""
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    model = Digits()
    steps = math.ceil(len(images) / BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=6e-3, total_steps=epochs * steps, pct_start=0.15)
    for epoch in range(epochs):
        model.train()
        strength = 1.0 if epoch < epochs * 0.85 else 0.5
        order = torch.randperm(len(images), generator=random)
        total = 0.0
        for step in range(steps):
            chosen = order[step * BATCH:(step + 1) * BATCH]
            batch = augmented(images[chosen].float().unsqueeze(1) * SCALE, strength, random)
            loss = F.cross_entropy(model(batch), labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch + 1:2d}/{epochs}  loss {total / len(images):.4f}", flush=True)
    return model.eval()


def correct_count(model, images, labels):
    """How many images get their label as the most probable one."""
    correct = 0
    with torch.no_grad():
        for start in range(0, len(images), 500):
            batch = images[start:start + 500].float().unsqueeze(1) * SCALE
            correct += int((model(batch).argmax(1) == labels[start:start + 500]).sum())
    return correct


def graph_nodes():
    """The graph, in the order it runs; names of weights are those of `Digits`."""
    def norm(number):
        weights = [f"norm{number}.{part}" for part in ("weight", "bias", "mean", "variance")]
        return helper.make_node("BatchNormalization", [f"conv{number}", *weights],
                                [f"norm{number}"], name=f"norm{number}", epsilon=1e-5)

    def pool(number):
        return helper.make_node("MaxPool", [f"relu{number}"], [f"pool{number}"],
                                name=f"pool{number}", kernel_shape=[2, 2], strides=[2, 2])

    def node(kind, inputs, output, **attributes):
        return helper.make_node(kind, inputs, [output], name=output, **attributes)

    return [
        node("Conv", ["image", "conv1.weight"], "conv1", kernel_shape=[5, 5], pads=[2, 2, 2, 2]),
        norm(1), node("Relu", ["norm1"], "relu1"), pool(1),
        node("Conv", ["pool1", "conv2.weight"], "conv2", kernel_shape=[5, 5]),
        norm(2), node("Relu", ["norm2"], "relu2"), pool(2),
        node("Flatten", ["pool2"], "flat", axis=1),
        node("Gemm", ["flat", "hidden.weight", "hidden.bias"], "hidden", transB=1),
        node("Relu", ["hidden"], "relu3"),
        node("Gemm", ["relu3", "output.weight", "output.bias"], "logits", transB=1),
        node("Softmax", ["logits"], "probabilities", axis=1),
    ]


def metadata(correct, count):
    """What a client needs to turn a picture into `image` and an index into a digit."""
    return {
        "casemate.input.image.size": "28x28",
        "casemate.input.image.color": "grey",
        "casemate.input.image.scale": repr(SCALE),
        "casemate.input.image.mean": "0",
        "casemate.input.image.std": "1",
        "casemate.labels": "0,1,2,3,4,5,6,7,8,9",
        "casemate.test.accuracy": f"{correct / count:.4f}",
        "casemate.test.correct": f"{correct}/{count}",
        "casemate.trained_by": "models/train_digits.py",
    }


def export(model, properties):
    """The model as ONNX, built node by node so that no exporter's traces get into the file."""
    weights = []
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        name = name.replace("running_mean", "mean").replace("running_var", "variance")
        weights.append(numpy_helper.from_array(value.numpy().astype("<f4"), name))
    graph = helper.make_graph(
        graph_nodes(), "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        weights)
    result = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    helper.set_model_props(result, properties)
    onnx.checker.check_model(result, full_check=True)
    return result


def tensors(images, labels):
    """Copies torch may own: the arrays are read-only views of the files' bytes."""
    return torch.from_numpy(images.copy()), torch.from_numpy(labels.astype(np.int64))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder with the four MNIST files")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, help="default: digits/1/model.onnx beside this",
                        default=pathlib.Path(__file__).parent / "digits/1/model.onnx")
    return parser.parse_args()


def main():
    options = arguments()
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    try:
        train_images, train_labels = mnist.read_split(options.data, "train")
        test_images, test_labels = mnist.read_split(options.data, "t10k")
    except mnist.BadData as error:
        print(f"train_digits: {error}", file=sys.stderr)
        return 1
    model = train(*tensors(train_images, train_labels), options.epochs, options.seed)
    correct, count = correct_count(model, *tensors(test_images, test_labels)), len(test_images)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(
        export(model, metadata(correct, count)).SerializeToString(deterministic=True))
    print(f"{correct} of {count} test images right, {options.out.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
