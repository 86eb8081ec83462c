#!/usr/bin/env python3
"""How fast PyTorch computes models of the same shapes on this GPU: the ceiling that the benches are read against.

`ceiling.py [ROWS]` needs `torch` and a GPU. Launches are recorded and played back, nothing is copied: computing alone.
"""

import sys
import time

import torch
from torch import nn


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(30522, 768)
        layer = nn.TransformerEncoderLayer(768, 12, 3072, activation="gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 12)

    def forward(self, ids):
        return self.layers(self.words(ids))[:, 0]


class Block(nn.Module):
    def __init__(self, deep, narrow, stride, side):
        super().__init__()
        self.first = nn.Conv2d(deep, narrow, 1)
        self.second = nn.Conv2d(narrow, narrow, 3, stride, 1)
        self.third = nn.Conv2d(narrow, narrow * 4, 1)
        self.side = nn.Conv2d(deep, narrow * 4, 1, stride) if side else nn.Identity()

    def forward(self, x):
        y = self.third(torch.relu(self.second(torch.relu(self.first(x)))))
        return torch.relu((y + self.side(x)) * 0.5)


def resnet():
    parts, deep = [nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
    for stage, blocks in enumerate([3, 4, 6, 3]):
        for block in range(blocks):
            parts.append(Block(deep, 64 << stage, 2 if stage and not block else 1, not block))
            deep = (64 << stage) * 4
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(deep, 1000))


@torch.inference_mode()
def measure(model, x):
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            model(x)
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        model(x)
    times = []
    for _ in range(5):
        torch.cuda.synchronize()
        begun, runs = time.perf_counter(), 30
        for _ in range(runs):
            graph.replay()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - begun) / runs)
    return sorted(times)[2]


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    print(f"PyTorch {torch.__version__} on {torch.cuda.get_device_name()}")
    for kind in (torch.float32, torch.float16):
        ids = torch.randint(0, 30522, (rows, 128), device="cuda")
        time_bert = measure(Bert().to("cuda", kind).eval(), ids)
        x = torch.randn(rows, 3, 224, 224, device="cuda", dtype=kind).to(memory_format=torch.channels_last)
        net = resnet().to("cuda", kind).eval().to(memory_format=torch.channels_last)
        time_resnet = measure(net, x)
        for name, seconds in (("bert", time_bert), ("resnet", time_resnet)):
            print(f"{name:<8} {str(kind):<14} {rows:>4} rows {seconds * 1e6:>10.1f} µs {rows / seconds:>10.0f} rows/s", flush=True)


if __name__ == "__main__":
    main()
