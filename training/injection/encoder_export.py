"""Writes the encoder as ONNX with weights of seven bits: `encoder_export.py WEIGHTS.npz OUT.onnx`. Needs `onnx` and `numpy`.

Weights are symmetric by output channel and within -63 and 63, so that sums of pairs of products fit sixteen bits where a processor
has no VNNI; activations are quantised to eight bits as they come. The table of words has eight bits by row. Input: `ids`, i32 [1, tokens];
output: `logits`, f32 [1, 2], as words of the user and as data.
"""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HEADS, LONGEST = 12, 128
source, target = sys.argv[1:3]
weights = {name: value.astype(np.float32) for name, value in np.load(source).items()}
hidden = weights["words"].shape[1]
heads = HEADS if hidden % HEADS == 0 else 2
layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("layers."))
constants, nodes = [], []


def constant(name, array):
    constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
    return name


def node(kind, inputs, output, **attributes):
    outputs = output if isinstance(output, list) else [output]
    nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0], **attributes))
    return outputs[0]


def quantised(array, levels, axis):
    scale = np.maximum(np.abs(array).max(axis=axis, keepdims=True), 1e-8) / levels
    return np.clip(np.round(array / scale), -levels, levels).astype(np.int8), scale.astype(np.float32)


def dense(inputs, name, output):
    """`inputs` are quantised activations, their scale and zero point."""
    values, scale, zero = inputs
    table, steps = quantised(weights[f"{name}.weight"].T, 63, 0)
    products = node("MatMulInteger", [values, constant(f"{name}.w", table), zero], f"{output}_i")
    floats = node("Cast", [products], f"{output}_c", to=TensorProto.FLOAT)
    steps = node("Mul", [scale, constant(f"{name}.s", steps[0])], f"{output}_s")
    return node("Add", [node("Mul", [floats, steps], f"{output}_m"), constant(f"{name}.b", weights[f"{name}.bias"])], output)


def activations(inputs, name):
    node("DynamicQuantizeLinear", [inputs], [f"{name}_q", f"{name}_qs", f"{name}_qz"])
    return f"{name}_q", f"{name}_qs", f"{name}_qz"


def normal(inputs, name, output):
    names = [constant(f"{name}.{kind}", weights[f"{name}.{kind}"]) for kind in ("weight", "bias")]
    return node("LayerNormalization", [inputs, *names], output, axis=-1, epsilon=1e-12)


table, steps = quantised(weights["words"], 127, 1)
rows = node("Cast", [node("Gather", [constant("words", table), "ids"], "rows")], "rows_f", to=TensorProto.FLOAT)
words = node("Mul", [rows, node("Gather", [constant("words.s", steps), "ids"], "rows_s")], "embedded")
length = node("Slice", [node("Shape", ["ids"], "shape"), constant("one", np.array([1])), constant("two", np.array([2]))], "length")
zero = constant("zero", np.array([0]))
places = node("Slice", [constant("places", weights["places"][:LONGEST]), zero, "length", zero], "placed")
x = normal(node("Add", [words, places], "summed"), "first", "x")
split = constant("split", np.array([0, 0, heads, hidden // heads]))
joined = constant("joined", np.array([0, 0, hidden]))
root = constant("root", np.array((hidden // heads) ** -0.5, np.float32))
half, one, sqrt2 = constant("half", np.float32(0.5)), constant("onef", np.float32(1)), constant("sqrt2", np.float32(2**0.5))
for at in range(layers):
    name, o = f"layers.{at}", f"l{at}"
    inputs = activations(x, f"{o}a")
    q, k, v = (node("Reshape", [dense(inputs, f"{name}.{p}", f"{o}{p}"), split], f"{o}{p}r") for p in "qkv")
    q, v = (node("Transpose", [y], f"{y}t", perm=[0, 2, 1, 3]) for y in (q, v))
    k = node("Transpose", [k], f"{k}t", perm=[0, 2, 3, 1])
    share = node("Softmax", [node("Mul", [node("MatMul", [q, k], f"{o}qk"), root], f"{o}qkm")], f"{o}sm", axis=-1)
    seen = node("Transpose", [node("MatMul", [share, v], f"{o}av")], f"{o}avt", perm=[0, 2, 1, 3])
    seen = node("Reshape", [seen, joined], f"{o}avj")
    x = normal(node("Add", [dense(activations(seen, f"{o}b"), f"{name}.o", f"{o}o"), x], f"{o}r"), f"{name}.n1", f"{o}n1")
    f = dense(activations(x, f"{o}c"), f"{name}.f", f"{o}f")
    bell = node("Add", [node("Erf", [node("Div", [f, sqrt2], f"{o}fd")], f"{o}fe"), one], f"{o}fa")
    f = node("Mul", [node("Mul", [f, bell], f"{o}fm"), half], f"{o}fg")
    x = normal(node("Add", [dense(activations(f, f"{o}d"), f"{name}.g", f"{o}g"), x], f"{o}s"), f"{name}.n2", f"{o}n2")
look = node("Add", [node("MatMul", [x, constant("look.w", weights["look.weight"].T)], "look_m"), constant("look.b", weights["look.bias"])], "look")
share = node("Softmax", [node("Transpose", ["look"], "look_t", perm=[0, 2, 1])], "shares", axis=-1)
pooled = node("Squeeze", [node("MatMul", [share, x], "pooled_m"), constant("axis", np.array([1]))], "pooled")
node("Add", [node("MatMul", [pooled, constant("head.w", weights["head.weight"].T)], "head_m"), constant("head.b", weights["head.bias"])], "logits")
graph = helper.make_graph(nodes, "injection", [helper.make_tensor_value_info("ids", TensorProto.INT32, [1, "tokens"])],
                          [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2])], constants)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnx.checker.check_model(model)
onnx.save(model, target)
print(target, layers, "layers,", len(model.SerializeToString()), "bytes")
