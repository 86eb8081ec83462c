#!/usr/bin/env python3
"""Writes the models of the benches: the shapes of real ones, weights by chance. `make.py FOLDER [NAME ...]`

Needs `onnx` and `numpy`. BERT-base and ResNet-50 are hundreds of megabytes, so they are made where they are measured.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

KINDS = {np.float32: T.FLOAT, np.float16: T.FLOAT16}


class Graph:
    """Nodes and weights that are added one by one. `add` gives the name of what a node gives."""

    def __init__(self, kind):
        self.kind = kind
        self.rng = np.random.default_rng(11)
        self.nodes, self.weights = [], []

    def add(self, op, *inputs, **attributes):
        name = f"t{len(self.nodes)}"
        self.nodes.append(h.make_node(op, list(inputs), [name], **attributes))
        return name

    def weight(self, *shape, scale=0.02):
        values = self.rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)
        return self.constant(values.astype(self.kind))

    def constant(self, values):
        name = f"w{len(self.weights)}"
        self.weights.append(nh.from_array(np.asarray(values), name))
        return name

    def whole(self, values):
        return self.constant(np.array(values, np.int64))

    def number(self, value):
        return self.constant(np.array(value, self.kind))

    def save(self, path, inputs, outputs):
        graph = h.make_graph(self.nodes, "g", inputs, outputs, self.weights)
        opsets = [h.make_opsetid("", 17), h.make_opsetid("com.microsoft", 1)]
        made = h.make_model(graph, opset_imports=opsets, producer_name="timeloom-benches")
        made.ir_version = 9
        path.write_bytes(made.SerializeToString())


def mlp(path, kind):
    """512-1024-1024-16: 3.2 MFLOP a row."""
    g, x = Graph(kind), "x"
    for index, (rows, columns) in enumerate([(512, 1024), (1024, 1024), (1024, 16)]):
        x = g.add("Gemm", x, g.weight(rows, columns, scale=1 / np.sqrt(rows)), g.weight(columns))
        x = g.add("Relu", x) if index < 2 else x
    g.nodes[-1].output[0] = "y"
    value = h.make_tensor_value_info
    g.save(path, [value("x", KINDS[kind], ["n", 512])], [value("y", KINDS[kind], ["n", 16])])


def bert(path, kind, layers=12, width=768, heads=12, inner=3072, length=128, words=30522):
    """BERT-base with 128 tokens a row: 22.5 GFLOP."""
    g = Graph(kind)

    def dense(x, rows, columns):
        return g.add("Add", g.add("MatMul", x, g.weight(rows, columns)), g.weight(columns))

    def norm(x):
        ones = g.constant(np.ones(width, kind))
        return g.add("LayerNormalization", x, ones, g.weight(width), axis=-1, epsilon=1e-5)

    split = g.whole([0, length, heads, width // heads])
    joined = g.whole([0, length, width])
    root = g.number(np.sqrt(width / heads))
    far = g.number(-10_000)
    mask = g.add("Cast", "mask", to=KINDS[kind])
    mask = g.add("Mul", g.add("Sub", g.number(1), g.add("Unsqueeze", mask, g.whole([1, 2]))), far)
    x = g.add("Gather", g.weight(words, width), "ids")
    x = norm(g.add("Add", x, g.weight(length, width)))
    for _ in range(layers):

        def part(order):
            return g.add("Transpose", g.add("Reshape", dense(x, width, width), split), perm=order)

        q, k, v = part([0, 2, 1, 3]), part([0, 2, 3, 1]), part([0, 2, 1, 3])
        scores = g.add("Add", g.add("Div", g.add("MatMul", q, k), root), mask)
        seen = g.add("MatMul", g.add("Softmax", scores, axis=-1), v)
        seen = g.add("Reshape", g.add("Transpose", seen, perm=[0, 2, 1, 3]), joined)
        x = norm(g.add("Add", x, dense(seen, width, width)))
        y = dense(x, width, inner)
        bent = g.add("Add", g.add("Erf", g.add("Div", y, g.number(np.sqrt(2)))), g.number(1))
        y = g.add("Mul", g.add("Mul", y, bent), g.number(0.5))
        x = norm(g.add("Add", x, dense(y, inner, width)))
    first = g.add("Gather", x, g.constant(np.array(0, np.int64)), axis=1)
    g.nodes.append(h.make_node("Tanh", [dense(first, width, width)], ["y"]))
    value = h.make_tensor_value_info
    inputs = [value("ids", T.INT64, ["n", length]), value("mask", T.INT64, ["n", length])]
    g.save(path, inputs, [value("y", KINDS[kind], ["n", width])])


def bert_fused(path, kind, layers=12, width=768, heads=12, inner=3072, length=128, words=30522):
    """The same without a mask, its layers written with the runtime's own operators, as its exporters write them."""
    g = Graph(kind)

    def product(x, rows, columns):
        return g.add("MatMul", x, g.weight(rows, columns))

    def own(op, *inputs, **attributes):
        return g.add(op, *inputs, domain="com.microsoft", **attributes)

    def norm():
        return g.constant(np.ones(width, kind)), g.weight(width)

    def skip(x, y):
        return own("SkipLayerNormalization", x, y, *norm(), g.weight(width), epsilon=1e-5)

    x = g.add("Gather", g.weight(words, width), "ids")
    x = g.add("LayerNormalization", g.add("Add", x, g.weight(length, width)), *norm(), axis=-1, epsilon=1e-5)
    for _ in range(layers):
        q, k, v = (product(x, width, width) for _ in range(3))
        seen = own("MultiHeadAttention", q, k, v, g.weight(3 * width), num_heads=heads)
        x = skip(product(seen, width, width), x)
        y = own("BiasGelu", product(x, width, inner), g.weight(inner))
        x = skip(product(y, inner, width), x)
    first = g.add("Gather", x, g.constant(np.array(0, np.int64)), axis=1)
    g.nodes.append(h.make_node("Tanh", [g.add("Add", product(first, width, width), g.weight(width))], ["y"]))
    value = h.make_tensor_value_info
    g.save(path, [value("ids", T.INT64, ["n", length])], [value("y", KINDS[kind], ["n", width])])


def resnet(path, kind):
    """ResNet-50 with 224 by 224 points a row: 8.2 GFLOP. Its normalisations are part of the weights."""
    g = Graph(kind)

    def conv(x, deep, wide, size, stride=1):
        scale = np.sqrt(2 / (deep * size * size))
        weights, bias = g.weight(wide, deep, size, size, scale=scale), g.weight(wide)
        return g.add("Conv", x, weights, bias, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[size // 2] * 4)

    x = g.add("Relu", conv("x", 3, 64, 7, 2))
    x = g.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    deep = 64
    for stage, blocks in enumerate([3, 4, 6, 3]):
        narrow = 64 << stage
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            y = g.add("Relu", conv(x, deep, narrow, 1))
            y = g.add("Relu", conv(y, narrow, narrow, 3, stride))
            y = conv(y, narrow, narrow * 4, 1)
            side = x if block else conv(x, deep, narrow * 4, 1, stride)
            half = g.add("Mul", g.add("Add", y, side), g.number(0.5))
            x, deep = g.add("Relu", half), narrow * 4
    x = g.add("Flatten", g.add("GlobalAveragePool", x))
    g.nodes.append(h.make_node("Gemm", [x, g.weight(deep, 1000), g.weight(1000)], ["y"]))
    value = h.make_tensor_value_info
    g.save(path, [value("x", KINDS[kind], ["n", 3, 224, 224])], [value("y", KINDS[kind], ["n", 1000])])


MODELS = {
    "mlp": lambda path: mlp(path, np.float32),
    "bert": lambda path: bert(path, np.float32),
    "bert-fp16": lambda path: bert(path, np.float16),
    "bert-fp16-fused": lambda path: bert_fused(path, np.float16),
    "bert-small-fused": lambda path: bert_fused(path, np.float32, layers=2, width=128, heads=2, inner=512, words=1000),
    "bert-small": lambda path: bert(path, np.float32, layers=2, width=128, heads=2, inner=512, words=1000),
    "resnet": lambda path: resnet(path, np.float32),
    "resnet-fp16": lambda path: resnet(path, np.float16),
}

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or MODELS:
        MODELS[name](folder / f"{name}.onnx")
        print(name, (folder / f"{name}.onnx").stat().st_size >> 10, "KiB", flush=True)
