"""The model behind FastAPI, a row a request: what most people write first. MODEL names the file."""

import os

import numpy
import onnxruntime
from fastapi import FastAPI, Request

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
app = FastAPI()


@app.post("/predict")
async def predict(request: Request):
    row = numpy.asarray((await request.json())["row"], numpy.float32)
    return {"scores": session.run(None, {"x": row[None]})[0].tolist()}
