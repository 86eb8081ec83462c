"""The model behind LitServe, gathering up to 32 rows. MODEL names the file, PORT where to listen."""

import os

import litserve
import numpy
import onnxruntime


class Perceptron(litserve.LitAPI):
    def setup(self, device):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])

    def decode_request(self, request):
        return numpy.asarray(request["row"], numpy.float32)

    def batch(self, rows):
        return numpy.stack(rows)

    def predict(self, rows):
        return self.session.run(None, {"x": rows})[0]

    def unbatch(self, scores):
        return list(scores)

    def encode_response(self, scores):
        return {"scores": scores.tolist()}


if __name__ == "__main__":
    api = Perceptron(max_batch_size=32, batch_timeout=0.002)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(port=int(os.environ["PORT"]), host="127.0.0.1", generate_client_file=False, log_level="warning")
