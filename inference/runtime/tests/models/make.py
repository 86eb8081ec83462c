#!/usr/bin/env python3
"""Writes the small models of the tests beside this file. Run by hand (`pip install onnx numpy`), the files are committed.

Each model is a few hundred bytes and has one purpose, told where it is made. Weights come from a fixed seed: running this
again gives the same bytes.
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

HERE = pathlib.Path(__file__).parent
OPSET = 17
DEPTH = 24
rng = np.random.default_rng(7)


def value(name, kind, shape):
    return h.make_tensor_value_info(name, kind, shape)


def weights(name, *shape, kind=np.float32):
    return nh.from_array((rng.standard_normal(shape) / 2).astype(kind), name)


def model(nodes, inputs, outputs, initialisers=(), opset=OPSET, ir=9, imports=()):
    graph = h.make_graph(nodes, "g", inputs, outputs, list(initialisers))
    opsets = [h.make_opsetid("", opset)] + [h.make_opsetid(*each) for each in imports]
    made = h.make_model(graph, opset_imports=opsets, producer_name="timeloom-tests")
    made.ir_version = ir
    return made


def save(name, made, check=True):
    if check:
        onnx.checker.check_model(made, full_check=True)
    (HERE / name).write_bytes(made.SerializeToString(deterministic=True))


def node(op, inputs, outputs, **attributes):
    return h.make_node(op, inputs, outputs, **attributes)


def plain():
    # What goes in comes out.
    save("identity.onnx", model([node("Identity", ["x"], ["y"])], [value("x", T.FLOAT, ["n", 4])], [value("y", T.FLOAT, ["n", 4])]))
    # Two inputs.
    save(
        "add.onnx",
        model(
            [node("Add", ["a", "b"], ["sum"])],
            [value("a", T.FLOAT, ["n", 3]), value("b", T.FLOAT, ["n", 3])],
            [value("sum", T.FLOAT, ["n", 3])],
        ),
    )
    save(
        "matmul.onnx",
        model(
            [node("MatMul", ["x", "w"], ["y"])],
            [value("x", T.FLOAT, ["n", 4])],
            [value("y", T.FLOAT, ["n", 2])],
            [weights("w", 4, 2)],
        ),
    )
    # Two layers and a softmax: bits depend on the order of sums.
    save(
        "mlp.onnx",
        model(
            [
                node("Gemm", ["x", "w0", "b0"], ["h"]),
                node("Relu", ["h"], ["r"]),
                node("Gemm", ["r", "w1", "b1"], ["l"]),
                node("Softmax", ["l"], ["p"], axis=1),
            ],
            [value("x", T.FLOAT, ["n", 8])],
            [value("p", T.FLOAT, ["n", 3])],
            [weights("w0", 8, 16), weights("b0", 16), weights("w1", 16, 3), weights("b1", 3)],
        ),
    )
    # No dimension is free: it does not batch.
    save(
        "fixed.onnx",
        model([node("Neg", ["x"], ["y"])], [value("x", T.FLOAT, [2, 3])], [value("y", T.FLOAT, [2, 3])]),
    )
    # Where it is clipped is read by the CPU, also when a GPU computes.
    save(
        "clip.onnx",
        model(
            [node("Clip", ["x", "low"], ["y"])],
            [value("x", T.FLOAT, [2, 3]), value("low", T.FLOAT, [])],
            [value("y", T.FLOAT, [2, 3])],
        ),
    )
    # A scalar in, a scalar out.
    save("scalar.onnx", model([node("Neg", ["x"], ["y"])], [value("x", T.FLOAT, [])], [value("y", T.FLOAT, [])]))
    # Rows differ in length from caller to caller.
    save(
        "ragged.onnx",
        model(
            [node("ReduceSum", ["x", "axes"], ["y"], keepdims=1)],
            [value("x", T.FLOAT, ["n", "s"])],
            [value("y", T.FLOAT, ["n", 1])],
            [nh.from_array(np.array([1], np.int64), "axes")],
        ),
    )
    # The state of the step before goes in, that of this one comes out.
    save(
        "stateful.onnx",
        model(
            [node("Add", ["x", "state"], ["state_out"]), node("Mul", ["state_out", "two"], ["y"])],
            [value("x", T.FLOAT, ["n", 2]), value("state", T.FLOAT, ["n", 2])],
            [value("y", T.FLOAT, ["n", 2]), value("state_out", T.FLOAT, ["n", 2])],
            [nh.from_array(np.array([2], np.float32), "two")],
        ),
    )


ELEMENTS = {
    "bool": T.BOOL,
    "uint8": T.UINT8,
    "uint16": T.UINT16,
    "uint32": T.UINT32,
    "uint64": T.UINT64,
    "int8": T.INT8,
    "int16": T.INT16,
    "int32": T.INT32,
    "int64": T.INT64,
    "fp16": T.FLOAT16,
    "bf16": T.BFLOAT16,
    "fp32": T.FLOAT,
    "fp64": T.DOUBLE,
    "bytes": T.STRING,
}


def elements():
    # Every type of element, each given back as it came.
    save(
        "elements.onnx",
        model(
            [node("Identity", [f"{name}_in"], [f"{name}_out"]) for name in ELEMENTS],
            [value(f"{name}_in", kind, ["n", 2]) for name, kind in ELEMENTS.items()],
            [value(f"{name}_out", kind, ["n", 2]) for name, kind in ELEMENTS.items()],
        ),
    )
    # Texts, and an operator that only the CPU has.
    save(
        "strings.onnx",
        model(
            [node("StringConcat", ["x", "mark"], ["y"])],
            [value("x", T.STRING, ["n", 1])],
            [value("y", T.STRING, ["n", 1])],
            [h.make_tensor("mark", T.STRING, [1], [b"!"])],
            opset=20,
        ),
    )


def control():
    # Multiplies a matrix with itself as often as it is told: runs long enough to be stopped.
    body = h.make_graph(
        [node("Identity", ["go"], ["go_on"]), node("MatMul", ["carried", "x"], ["next"])],
        "body",
        [value("step", T.INT64, []), value("go", T.BOOL, []), value("carried", T.FLOAT, [64, 64])],
        [value("go_on", T.BOOL, []), value("next", T.FLOAT, [64, 64])],
    )
    save(
        "loop.onnx",
        model(
            [node("Loop", ["times", "yes", "x"], ["y"], body=body)],
            [value("times", T.INT64, []), value("x", T.FLOAT, [64, 64])],
            [value("y", T.FLOAT, [64, 64])],
            [nh.from_array(np.array(True), "yes")],
        ),
    )
    # A branch: control flow, which no graph of kernels can hold.
    then = h.make_graph([node("Neg", ["x"], ["then"])], "then", [], [value("then", T.FLOAT, ["n", 4])])
    other = h.make_graph([node("Abs", ["x"], ["other"])], "other", [], [value("other", T.FLOAT, ["n", 4])])
    save(
        "if.onnx",
        model(
            [node("If", ["turn"], ["y"], then_branch=then, else_branch=other)],
            [value("turn", T.BOOL, []), value("x", T.FLOAT, ["n", 4])],
            [value("y", T.FLOAT, ["n", 4])],
        ),
    )
    # Determinants: the CUDA provider has no such operator, so a node of this model is always the CPU's.
    save(
        "determinant.onnx",
        model(
            [node("Det", ["x"], ["d"]), node("Neg", ["d"], ["y"])],
            [value("x", T.FLOAT, ["n", 3, 3])],
            [value("y", T.FLOAT, ["n"])],
        ),
    )
    # As many zeros as it is told: more than there is memory for, if so told.
    save(
        "zeros.onnx",
        model(
            [node("ConstantOfShape", ["shape"], ["y"])],
            [value("shape", T.INT64, [1])],
            [value("y", T.FLOAT, ["k"])],
        ),
    )
    # Each row is spread over 64 MiB on its way: many rows need much memory.
    save(
        "wide.onnx",
        model(
            [
                node("Expand", ["x", "wide"], ["spread"]),
                node("Exp", ["spread"], ["grown"]),
                node("ReduceMean", ["grown"], ["y"], axes=[1], keepdims=1),
            ],
            [value("x", T.FLOAT, ["n", 1])],
            [value("y", T.FLOAT, ["n", 1])],
            [nh.from_array(np.array([1, 1 << 24], np.int64), "wide")],
        ),
    )


def outside(name, location, write=False):
    # Weights beside the model.
    tensor = weights("w", 4, 2)
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = T.EXTERNAL
    for key, text in (("location", location), ("offset", "0"), ("length", str(len(data)))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, text
    if write:
        (HERE / "external" / location).write_bytes(data)
    made = model(
        [node("MatMul", ["x", "w"], ["y"])],
        [value("x", T.FLOAT, ["n", 4])],
        [value("y", T.FLOAT, ["n", 2])],
        [tensor],
    )
    save(name, made, check=False)


def refused():
    good = [value("x", T.FLOAT, ["n", 4])], [value("y", T.FLOAT, ["n", 4])]
    # Of a time to come.
    save("opset-too-new.onnx", model([node("Identity", ["x"], ["y"])], *good, opset=99), check=False)
    save("ir-too-new.onnx", model([node("Identity", ["x"], ["y"])], *good, ir=99), check=False)
    # Operators that nobody knows, and one that a library would have to bring.
    save("operator-unknown.onnx", model([node("Conjure", ["x"], ["y"])], *good), check=False)
    save(
        "operator-custom.onnx",
        model([node("Conjure", ["x"], ["y"], domain="com.example")], *good, imports=[("com.example", 1)]),
        check=False,
    )
    outside("external-above.onnx", "../external/weights.bin")
    outside("external-absolute.onnx", "/etc/hostname")
    # Branches in branches in branches.
    nested = [node("Neg", ["x"], ["y0"])]
    for depth in range(DEPTH):
        then = h.make_graph(nested, f"t{depth}", [], [value(f"y{depth}", T.FLOAT, ["n", 4])])
        other = h.make_graph([node("Abs", ["x"], [f"e{depth}"])], f"o{depth}", [], [value(f"e{depth}", T.FLOAT, ["n", 4])])
        nested = [node("If", ["turn"], [f"y{depth + 1}"], then_branch=then, else_branch=other)]
    nested.append(node("Identity", [f"y{DEPTH}"], ["y"]))
    save(
        "nested.onnx",
        model(nested, [value("turn", T.BOOL, []), value("x", T.FLOAT, ["n", 4])], [value("y", T.FLOAT, ["n", 4])]),
        check=False,
    )
    # A weight that says it is larger than the file is.
    huge = h.make_tensor("w", T.FLOAT, [1], [1.0])
    huge.dims[0] = 1 << 40
    save("weight-too-large.onnx", model([node("Add", ["x", "w"], ["y"])], *good, initialisers=[huge]), check=False)
    # A node that needs its own answer.
    save(
        "cycle.onnx",
        model([node("Add", ["x", "b"], ["a"]), node("Add", ["a", "x"], ["b"]), node("Neg", ["b"], ["y"])], *good),
        check=False,
    )
    # A whole model, cut off.
    # The same numbers in another file: field 6 of a model is a text about it.
    (HERE / "mlp-again.onnx").write_bytes((HERE / "mlp.onnx").read_bytes() + b"\x32\x05again")
    whole = (HERE / "mlp.onnx").read_bytes()
    (HERE / "cut.onnx").write_bytes(whole[: len(whole) // 2])


def images():
    # A convolution, which a GPU may compute in another layout. Numbers of its own: those of the others stay what they are.
    own = np.random.default_rng(8)
    kernel = nh.from_array((own.standard_normal((4, 3, 3, 3)) / 4).astype(np.float32), "kernel")
    save(
        "conv.onnx",
        model(
            [
                node("Conv", ["x", "kernel"], ["c"], pads=[1, 1, 1, 1]),
                node("Relu", ["c"], ["r"]),
                node("GlobalAveragePool", ["r"], ["g"]),
                node("Flatten", ["g"], ["y"]),
            ],
            [value("x", T.FLOAT, ["n", 3, 8, 8])],
            [value("y", T.FLOAT, ["n", 4])],
            [kernel],
        ),
    )


if __name__ == "__main__":
    plain()
    elements()
    control()
    (HERE / "external").mkdir(exist_ok=True)
    outside("external/model.onnx", "weights.bin", write=True)
    refused()
    images()
