"""The model behind BentoML, gathering up to 32 rows. MODEL names the file."""

import os

import bentoml
import numpy
import onnxruntime


@bentoml.service(workers=1, traffic={"timeout": 30})
class Perceptron:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])

    @bentoml.api(batchable=True, max_batch_size=32, max_latency_ms=1000)
    def predict(self, rows: numpy.ndarray) -> numpy.ndarray:
        return self.session.run(None, {"x": numpy.asarray(rows, numpy.float32)})[0]
