#!/usr/bin/env python3
"""Trains the small models beside this file. Run by hand, the models are committed:

    pip install scikit-learn onnx onnxruntime tokenizers
    make setup && examples/models/make.py

sentiment.onnx  whether a text is friendly, by its vector of the model `minilm`; trained on sentences.tsv, written for this
iris.onnx       which iris a flower is, by four lengths in centimetres: setosa, versicolor, virginica
digits.onnx     which digit was written, by 64 numbers from 0 to 16

Seeds are fixed: running this again gives the same models, but for last digits on another machine.
"""

import os
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "timeloom/packages"


def save(name, layers, inputs, output):
    """Writes layers of weights and what is done after each: the last gives the output."""
    nodes, weights, state = [], [], inputs[0]
    for place, (weight, bias, then) in enumerate(layers):
        weights += [nh.from_array(np.float32(weight), f"w{place}"), nh.from_array(np.float32(bias), f"b{place}")]
        nodes.append(h.make_node("Gemm", [state, f"w{place}", f"b{place}"], [f"g{place}"]))
        state = output[0] if place == len(layers) - 1 else f"s{place}"
        nodes.append(h.make_node(then, [f"g{place}"], [state]))
    graph = h.make_graph(
        nodes,
        name,
        [h.make_tensor_value_info(inputs[0], T.FLOAT, ["rows", inputs[1]])],
        [h.make_tensor_value_info(output[0], T.FLOAT, ["rows", output[1]])],
        weights,
    )
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], producer_name="timeloom-examples", ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def scaled(model):
    """The weights of a logistic model behind a scaler, for numbers as they come."""
    scaler, head = model[0], model[1]
    weight = head.coef_.T / scaler.scale_[:, None]
    return weight, head.intercept_ - scaler.mean_ @ weight


def vectors(texts):
    folder = CACHE / "minilm-1.0.0"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    rows = []
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        total = session.run(None, feed)[0][0].sum(0)
        rows.append(total / np.linalg.norm(total))
    return np.array(rows)


def sentiment():
    lines = [line.split("\t") for line in (HERE / "sentences.tsv").read_text().splitlines()]
    known, told = vectors([text for _, text in lines]), np.array([label == "positive" for label, _ in lines])
    head = LogisticRegression(C=10, max_iter=1000)
    print("sentiment, 5 folds:", round(cross_val_score(head, known, told, cv=5).mean(), 3), "of", len(lines))
    head.fit(known, told)
    save("sentiment", [(head.coef_.T, head.intercept_, "Sigmoid")], ("vector", known.shape[1]), ("positive", 1))


def iris():
    data = load_iris()
    train, held, told, truth = train_test_split(data.data, data.target, test_size=0.3, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(train, told)
    print("iris, held out:", round(model.score(held, truth), 3))
    save("iris", [(*scaled(model), "Softmax")], ("lengths", 4), ("probabilities", 3))


def digits():
    data = load_digits()
    train, held, told, truth = train_test_split(data.data / 16, data.target, test_size=0.3, random_state=0)
    model = MLPClassifier((64,), max_iter=500, random_state=0).fit(train, told)
    print("digits, held out:", round(model.score(held, truth), 3))
    (first, second), (bias, last) = model.coefs_, model.intercepts_
    save("digits", [(first / 16, bias, "Relu"), (second, last, "Softmax")], ("pixels", 64), ("probabilities", 10))


if __name__ == "__main__":
    sentiment()
    iris()
    digits()
