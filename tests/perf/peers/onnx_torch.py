# SPDX-License-Identifier: Apache-2.0
"""An ONNX file as PyTorch code: each operator of `casemate zoo` as the call that PyTorch's users write.

What shapes and weights alone decide is computed once, ahead. What exporters take apart is put
together again, since nobody writes it so by hand: products with their biases (F.linear), Gelu, and
attention (F.scaled_dot_product_attention).
"""

import onnx
import onnx.numpy_helper
import torch
import torch.nn.functional as F


class Unsupported(Exception):
    """A node that this translation does not know; the text names it."""


def tensor_of(proto):
    return torch.from_numpy(onnx.numpy_helper.to_array(proto).copy())


def numbers(tensor):
    return [int(number) for number in tensor.reshape(-1).tolist()]


def pads(attributes):
    """Of two spatial dimensions: what is the same at both ends, and the rest as F.pad takes it."""
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    if top == bottom and left == right:
        return (top, left), None
    return (0, 0), (left, right, top, bottom)


def conv(a, x, weight, bias=None):
    same, rest = pads(a)
    x = x if rest is None else F.pad(x, rest)
    return F.conv2d(x, weight, bias, a.get("strides", 1), same, a.get("dilations", 1), a.get("group", 1))


def max_pool(a, x):
    same, rest = pads(a)
    x = x if rest is None else F.pad(x, rest, value=float("-inf"))
    return F.max_pool2d(x, a["kernel_shape"], a["strides"], same, a.get("dilations", 1),
                        bool(a.get("ceil_mode", 0)))


def average_pool(a, x):
    same, rest = pads(a)
    if rest is not None:
        raise Unsupported("AveragePool whose ends are padded differently")
    return F.avg_pool2d(x, a["kernel_shape"], a["strides"], same, bool(a.get("ceil_mode", 0)),
                        bool(a.get("count_include_pad", 0)))


def gemm(a, x, weight, bias=None):
    if a.get("alpha", 1) != 1 or a.get("beta", 1) != 1 or a.get("transA", 0):
        raise Unsupported("Gemm with factors, or a transposed left side")
    return F.linear(x, weight if a.get("transB", 0) else weight.t(), bias)


def resize(a, x, _, scales):
    if a["mode"] != b"nearest" or scales.tolist() != [1, 1, 2, 2]:
        raise Unsupported("Resize other than to twice the size by repeating")
    return F.interpolate(x, scale_factor=2, mode="nearest")


def slice_(_, x, starts, ends, axes, steps=None):
    for start, end, axis, step in zip(numbers(starts), numbers(ends), numbers(axes),
                                      numbers(steps) if steps is not None else [1] * len(axes)):
        x = x[(slice(None),) * axis + (slice(start, end, step),)]
    return x


def split(a, x, sizes):
    return torch.split(x, numbers(sizes), a["axis"])


def reshape(_, x, shape):
    return x.reshape([x.shape[i] if extent == 0 else extent for i, extent in enumerate(numbers(shape))])


def unsqueeze(_, x, axes):
    for axis in sorted(numbers(axes)):
        x = x.unsqueeze(axis)
    return x


def gather(a, x, indices):
    if x.dim() == 2 and a.get("axis", 0) == 0:
        return F.embedding(indices, x)
    if indices.dim() == 0:
        return x.select(a.get("axis", 0), int(indices))
    raise Unsupported("Gather other than of rows of a table, or of one slice")


def layer_norm(a, x, scale, bias):
    return F.layer_norm(x, scale.shape, scale, bias, a["epsilon"])


def batch_norm(a, x, scale, bias, mean, variance):
    return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, a["epsilon"])


def lrn(a, x):
    return F.local_response_norm(x, a["size"], a["alpha"], a["beta"], a["bias"])


TYPES = {onnx.TensorProto.FLOAT: torch.float32, onnx.TensorProto.BOOL: torch.bool,
         onnx.TensorProto.INT64: torch.int64}
OPERATORS = {
    "Add": lambda a, x, y: x + y, "And": lambda a, x, y: torch.logical_and(x, y),
    "AveragePool": average_pool, "BatchNormalization": batch_norm,
    "Cast": lambda a, x: x.to(TYPES[a["to"]]),
    "Clip": lambda a, x, low, high: F.hardtanh(x, float(low), float(high)),
    "Concat": lambda a, *parts: torch.cat(parts, a["axis"]), "Conv": conv,
    "Div": lambda a, x, y: x / y, "Erf": lambda a, x: torch.erf(x),
    "Flatten": lambda a, x: x.flatten(a.get("axis", 1)), "Gather": gather, "Gemm": gemm,
    "GlobalAveragePool": lambda a, x: F.adaptive_avg_pool2d(x, 1),
    "LRN": lrn, "LayerNormalization": layer_norm,
    "LeakyRelu": lambda a, x: F.leaky_relu(x, a["alpha"]),
    "MatMul": lambda a, x, y: torch.matmul(x, y), "MaxPool": max_pool,
    "Mul": lambda a, x, y: x * y, "Pow": lambda a, x, y: torch.pow(x, float(y)),
    "Relu": lambda a, x: F.relu(x), "Reshape": reshape, "Resize": resize,
    "Shape": lambda a, x: torch.tensor(list(x.shape)), "Slice": slice_,
    "Softmax": lambda a, x: F.softmax(x, a["axis"]), "Split": split,
    "Sub": lambda a, x, y: x - y, "Tanh": lambda a, x: torch.tanh(x),
    "Transpose": lambda a, x: x.permute(a["perm"]), "Unsqueeze": unsqueeze,
    "Where": lambda a, c, x, y: torch.where(c, x, y),
    # What stands for several nodes; see fuse().
    "Linear": lambda a, x, weight, bias: F.linear(x, weight, bias),
    "Gelu": lambda a, x: F.gelu(x, approximate=a["approximate"]),
    "Attention": lambda a, q, k, v, mask: F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, scale=1 / a["divisor"]),
}


class Node:
    def __init__(self, op, inputs, outputs, attributes):
        self.op, self.inputs, self.outputs, self.attributes = op, list(inputs), list(outputs), attributes

    def run(self, values):
        if self.op not in OPERATORS:
            raise Unsupported(self.op)
        found = OPERATORS[self.op](self.attributes, *(values[name] if name else None for name in self.inputs))
        values.update(zip(self.outputs, found if isinstance(found, tuple) else (found,)))


class Pattern:
    """Finds chains of nodes whose values between them nobody else reads."""

    def __init__(self, nodes, outputs):
        self.readers, self.kept = {}, set(outputs)
        for node in nodes:
            for name in node.inputs:
                self.readers.setdefault(name, []).append(node)

    def next(self, node, op):
        """The only reader of what the node makes, if it is that operator."""
        readers = self.readers.get(node.outputs[0], []) if node else []
        alone = len(readers) == 1 and node.outputs[0] not in self.kept
        return readers[0] if alone and readers[0].op == op else None

    def readers_of(self, name, ops):
        """All readers, by operator, when they are these."""
        readers = {node.op: node for node in self.readers.get(name, [])}
        return readers if set(ops) <= set(readers) else None


def other(node, name):
    return next((each for each in node.inputs if each != name), None)


def linear(pattern, static, node):
    """x W + b."""
    weight = static.get(node.inputs[1]) if node.op == "MatMul" else None
    add = pattern.next(node, "Add")
    if weight is None or weight.dim() != 2 or add is None:
        return None
    bias = other(add, node.outputs[0])
    if bias not in static or static[bias].dim() != 1:
        return None
    turned = f"{node.inputs[1]}, transposed"
    static[turned] = weight.t()
    return [node, add], Node("Linear", [node.inputs[0], turned, bias], add.outputs, {})


def value_of(static, name):
    return float(static[name]) if name in static and static[name].numel() == 1 else None


def gelu_erf(pattern, static, node):
    """x (1 + erf(x / sqrt 2)) / 2."""
    if node.op != "Div" or abs((value_of(static, node.inputs[1]) or 0) - 2 ** 0.5) > 1e-5:
        return None
    chain = [node]
    for op in ("Erf", "Add", "Mul", "Mul"):
        chain.append(pattern.next(chain[-1], op))
    if None in chain or other(chain[3], chain[2].outputs[0]) != node.inputs[0]:
        return None
    return chain, Node("Gelu", [node.inputs[0]], chain[4].outputs, {"approximate": "none"})


def gelu_tanh(pattern, static, node):
    """x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""
    if node.op != "Pow" or value_of(static, node.inputs[1]) != 3:
        return None
    x, chain = node.inputs[0], [node]
    for op in ("Mul", "Add", "Mul", "Tanh", "Add", "Mul"):
        chain.append(pattern.next(chain[-1], op))
    readers = pattern.readers_of(x, ("Pow", "Mul", "Add"))
    if None in chain or readers is None or other(chain[2], chain[1].outputs[0]) != x or \
            readers["Mul"].outputs[0] not in chain[6].inputs:
        return None
    return [*chain, readers["Mul"]], Node("Gelu", [x], chain[6].outputs, {"approximate": "tanh"})


def attention(pattern, static, node):
    """softmax(q k^T / divisor + mask) v."""
    if node.op != "Transpose" or node.attributes["perm"] != [0, 1, 3, 2]:
        return None
    chain = [node]
    for op in ("MatMul", "Div", "Add", "Softmax", "MatMul"):
        chain.append(pattern.next(chain[-1], op))
    if None in chain or value_of(static, chain[2].inputs[1]) is None:
        return None
    mask = other(chain[3], chain[2].outputs[0])
    return chain, Node("Attention", [chain[1].inputs[0], node.inputs[0], chain[5].inputs[1], mask],
                       chain[5].outputs, {"divisor": value_of(static, chain[2].inputs[1])})


def fuse(nodes, static, outputs):
    """The nodes with chains replaced: each takes the place of the chain's last node, where all that
    it reads has been made."""
    pattern = Pattern(nodes, outputs)
    gone, instead = set(), {}
    for node in nodes:
        for find in (linear, gelu_erf, gelu_tanh, attention):
            found = find(pattern, static, node) if id(node) not in gone else None
            if found:
                gone.update(id(each) for each in found[0])
                last = next(each for each in found[0] if each.outputs == found[1].outputs)
                instead[id(last)] = found[1]
    return [instead.get(id(node), node) for node in nodes if id(node) not in gone or id(node) in instead]


class OnnxModule(torch.nn.Module):
    """A model for the shapes of `example`, inputs by name."""

    def __init__(self, model, example):
        super().__init__()
        graph = model.graph
        weights = {proto.name: tensor_of(proto) for proto in graph.initializer}
        nodes = [Node(node.op_type, node.input, node.output,
                      {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute})
                 for node in graph.node]
        for node in [node for node in nodes if node.op == "Constant"]:
            weights[node.outputs[0]] = tensor_of(node.attributes["value"])
        self.names = [port.name for port in graph.input if port.name not in weights]
        self.outputs = [port.name for port in graph.output]
        nodes = [node for node in nodes if node.op != "Constant"]
        static, dynamic = self.divide(nodes, weights, example)
        self.nodes = fuse(dynamic, static, self.outputs)
        read = {name for node in self.nodes for name in node.inputs}
        self.static = {name: self.kept(value) for name, value in static.items() if name in read}

    @staticmethod
    def divide(nodes, weights, example):
        """What weights and shapes decide, by name, and the nodes that the rest needs: found by
        running the model once."""
        static, values, dynamic = dict(weights), weights | example, []
        for node in nodes:
            node.run(values)
            if node.op == "Shape" or all(not name or name in static for name in node.inputs):
                static.update((name, values[name]) for name in node.outputs)
            else:
                dynamic.append(node)
        return static, dynamic

    @staticmethod
    def kept(value):
        """Weights of convolutions as channels last, as the images are."""
        return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value

    def forward(self, *inputs):
        values = self.static | dict(zip(self.names, inputs))
        for node in self.nodes:
            node.run(values)
        return tuple(values[name] for name in self.outputs)
