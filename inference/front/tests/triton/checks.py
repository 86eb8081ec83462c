"""Asks a server by the stock client of the protocol. Prints a line for each check that held; stops at the first that did not."""

import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

address, key = sys.argv[1:3]
client = http.InferenceServerClient(address)
left = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], dtype=np.float32)
right = np.array([[0.5, 0.25, -1, 1e-30], [3.4e38, 0, -0.0, 1]], dtype=np.float32)
texts = np.array([["größer"], ["\x00\x01"]], dtype=object)


# The client writes into what it is given: each call gets headers of its own.
def known():
    return {"Authorization": f"Bearer {key}"}


def held(name):
    print(f"held {name}", flush=True)


def inputs(binary):
    made = []
    for name, array, datatype in [("INPUT0", left, "FP32"), ("INPUT1", right, "FP32"), ("TEXT", texts, "BYTES")]:
        tensor = http.InferInput(name, array.shape, datatype)
        tensor.set_data_from_numpy(array, binary_data=binary)
        made.append(tensor)
    return made


def refused(call, status):
    try:
        call()
    except InferenceServerException as error:
        assert error.status() == status, (error.status(), status, error.message())
        assert error.message(), "it says nothing"
        return
    raise AssertionError("it was not refused")


assert client.is_server_live() and client.is_server_ready()
held("health")
assert client.get_server_metadata(headers=known())["name"] == "timeloom"
held("server metadata")
metadata = client.get_model_metadata("sum", headers=known())
assert [tensor["name"] for tensor in metadata["inputs"]] == ["INPUT0", "INPUT1", "TEXT"], metadata
held("model metadata")
assert client.is_model_ready("sum", headers=known()) and client.is_model_ready("sum", "1", headers=known())
assert not client.is_model_ready("none", headers=known())
held("model ready")
assert client.get_model_config("sum", headers=known())["input"][2]["data_type"] == "TYPE_STRING"
held("model config")
for sent in [True, False]:
    for wanted in [True, False]:
        outputs = [http.InferRequestedOutput(name, binary_data=wanted) for name in ["ECHO", "SUM"]]
        answer = client.infer("sum", inputs(sent), outputs=outputs, request_id="42", headers=known())
        assert answer.get_response()["id"] == "42"
        assert np.array_equal(answer.as_numpy("SUM"), left + right), answer.as_numpy("SUM")
        echoed = [text.decode() if isinstance(text, bytes) else text for text in answer.as_numpy("ECHO").flatten()]
        assert echoed == list(texts.flatten()), echoed
        held(f"infer, {'binary' if sent else 'JSON'} in, {'binary' if wanted else 'JSON'} out")
answer = client.infer("sum", inputs(True), headers=known())
assert np.array_equal(answer.as_numpy("SUM"), left + right)
held("infer, nothing said of outputs")
for algorithm in ["gzip", "deflate"]:
    answer = client.infer("sum", inputs(True), headers=known(), request_compression_algorithm=algorithm)
    assert np.array_equal(answer.as_numpy("SUM"), left + right)
    held(f"infer, {algorithm}")
answer = client.infer("sum", inputs(True), priority=1, timeout=10_000_000, headers=known())
assert np.array_equal(answer.as_numpy("SUM"), left + right)
held("infer, priority and time-out")
pending = [client.async_infer("sum", inputs(True), headers=known()) for _ in range(8)]
assert all(np.array_equal(one.get_result().as_numpy("SUM"), left + right) for one in pending)
held("infer, asynchronous")
refused(lambda: client.infer("none", inputs(True), headers=known()), "404")
refused(lambda: client.infer("sum", inputs(True)[:2], headers=known()), "400")
refused(lambda: client.infer("sum", inputs(True)), "401")
wrong = http.InferInput("INPUT0", [2, 4], "FP64")
wrong.set_data_from_numpy(left.astype(np.float64))
refused(lambda: client.infer("sum", [wrong, *inputs(True)[1:]], headers=known()), "400")
held("refusals")
client.load_model("brought", config="{}", files={"file:1/model.onnx": b"\x00\x01\x02"}, headers=known())
assert client.is_model_ready("brought", headers=known())
index = client.get_model_repository_index(headers=known())
states = {entry["name"]: entry["state"] for entry in index}
assert states == {"sum": "READY", "brought": "READY", "other": "UNAVAILABLE"}, states
client.unload_model("brought", headers=known())
assert not client.is_model_ready("brought", headers=known())
held("repository")
statistics = client.get_inference_statistics("sum", headers=known())["model_stats"][0]
assert statistics["inference_stats"]["success"]["count"] == 16, statistics
assert client.get_inference_statistics(headers=known())["model_stats"]
held("statistics")
