#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a ResNet-50 with random weights: the load that benchmarks and large-model tests run.

    python3 models/make_resnet50.py --out resnet50.onnx [--seed 1]

The topology is torchvision's (version 1.5: the stride sits in the 3x3 convolution), left as
exporters leave it: Conv, BatchNormalization, Relu and Add are nodes of their own. Speed does not
depend on what the weights mean, but it does on their scale: overflow and denormals change the
timing and hide differences between engines. So weights are He-initialized and every normalization
gets statistics near those that its input really has; activations and logits stay O(1). As with any
untrained network the logits of different images differ by less than they have in common, so
compare logits, not the winning class. The same seed gives the same file.
"""

import argparse
import math
import pathlib
from collections import namedtuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STAGES = [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]  # width, blocks, stride of the first
EXPANSION = 4
CLASSES = 1000
BRANCH_SCALE = 0.5  # of the last normalization in a block, so that sixteen sums do not pile up

# A tensor on its way through the graph, with what its elements are expected to look like.
Value = namedtuple("Value", "name channels mean variance")


def rectified(mean, variance):
    """Mean and variance of max(0, x) for a normally distributed x."""
    deviation = math.sqrt(variance)
    above = 0.5 * (1 + math.erf(mean / deviation / math.sqrt(2)))
    density = math.exp(-0.5 * mean * mean / variance) / math.sqrt(math.tau)
    first = mean * above + deviation * density
    second = (mean * mean + variance) * above + mean * deviation * density
    return first, second - first * first


class Builder:
    """Nodes and weights in the making."""

    def __init__(self, seed):
        self.random = np.random.Generator(np.random.PCG64(seed))
        self.nodes = []
        self.weights = []

    def normal(self, shape, mean, deviation):
        return mean + deviation * self.random.standard_normal(shape, np.float32)

    def weight(self, name, values):
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values, "<f4"), name))
        return name

    def node(self, kind, inputs, name, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def conv(self, x, name, outputs, kernel, stride):
        """A convolution without bias, [N,C,H,W] to [N,M,H/stride,W/stride].

        Each filter is centred: its inputs come out of a Relu and have a positive mean, which would
        otherwise become an offset that outweighs what depends on the image.
        """
        deviation = np.float32(math.sqrt(2 / (x.channels * kernel * kernel)))
        weight = self.normal((outputs, x.channels, kernel, kernel), 0, deviation)
        weight -= weight.mean((1, 2, 3), keepdims=True)
        self.node("Conv", [x.name, self.weight(f"{name}.weight", weight)], name,
                  dilations=[1, 1], group=1, kernel_shape=[kernel, kernel],
                  pads=[kernel // 2] * 4, strides=[stride, stride])
        return Value(name, outputs, 0.0, 2 * x.variance)

    def norm(self, x, name, scale=1.0):
        """Batch normalization whose statistics scatter around those that `x` has."""
        deviation = math.sqrt(x.variance)
        parts = {
            "weight": scale * self.normal(x.channels, 1, 0.1),
            "bias": self.normal(x.channels, 0, 0.1),
            "running_mean": deviation * self.normal(x.channels, 0, 0.1),
            "running_var": x.variance * np.exp(self.normal(x.channels, 0, 0.2)),
        }
        names = [self.weight(f"{name}.{part}", values) for part, values in parts.items()]
        self.node("BatchNormalization", [x.name, *names], name, epsilon=1e-5, momentum=0.9)
        return Value(name, x.channels, 0.0, scale * scale)

    def relu(self, x, name):
        self.node("Relu", [x.name], name)
        return Value(name, x.channels, *rectified(x.mean, x.variance))

    def max_pool(self, x, name):
        """The largest of 3x3: for rectified neighbours about twice their spread and mean."""
        self.node("MaxPool", [x.name], name, kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2])
        return Value(name, x.channels, 2 * x.mean, 2 * x.variance)

    def bottleneck(self, x, name, width, stride):
        """1x1, 3x3 with the stride, 1x1, and the way around them."""
        inner = self.conv(x, f"{name}.conv1", width, 1, 1)
        inner = self.relu(self.norm(inner, f"{name}.bn1"), f"{name}.relu1")
        inner = self.conv(inner, f"{name}.conv2", width, 3, stride)
        inner = self.relu(self.norm(inner, f"{name}.bn2"), f"{name}.relu2")
        inner = self.conv(inner, f"{name}.conv3", width * EXPANSION, 1, 1)
        inner = self.norm(inner, f"{name}.bn3", BRANCH_SCALE)
        if stride != 1 or x.channels != width * EXPANSION:
            x = self.conv(x, f"{name}.downsample.0", width * EXPANSION, 1, stride)
            x = self.norm(x, f"{name}.downsample.1")
        total = self.node("Add", [inner.name, x.name], f"{name}.add")
        return self.relu(Value(total, x.channels, inner.mean + x.mean,
                               inner.variance + x.variance), f"{name}.relu")

    def classifier(self, x):
        """Global mean, then one matrix to the logits; its scale makes them O(1)."""
        self.node("GlobalAveragePool", [x.name], "avgpool")
        self.node("Flatten", ["avgpool"], "flatten", axis=1)
        weight = self.normal((CLASSES, x.channels), 0, np.float32(math.sqrt(2 / x.channels)))
        self.weight("fc.weight", weight)
        self.weight("fc.bias", self.normal(CLASSES, 0, 0.1))
        self.node("Gemm", ["flatten", "fc.weight", "fc.bias"], "output", transB=1)


def resnet50(seed):
    """The model: `input` [N,3,224,224] to `output` [N,1000], opset 17."""
    builder = Builder(seed)
    x = Value("input", 3, 0.0, 1.0)  # as pixels are after the usual normalization
    x = builder.conv(x, "conv1", 64, 7, 2)
    x = builder.max_pool(builder.relu(builder.norm(x, "bn1"), "relu"), "maxpool")
    for stage, (width, blocks, first_stride) in enumerate(STAGES, 1):
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            x = builder.bottleneck(x, f"layer{stage}.{block}", width, stride)
    builder.classifier(x)
    graph = helper.make_graph(
        builder.nodes, "resnet50",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 224, 224])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", CLASSES])],
        builder.weights)
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="about 100 MB")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    data = resnet50(options.seed).SerializeToString(deterministic=True)
    options.out.write_bytes(data)
    print(f"{options.out}: {len(data)} bytes")


if __name__ == "__main__":
    main()
