"""Appends by many writers, each with a stream of its own and waiting for its own answer: load.py TARGET ADDRESS

TARGET is `timeloom`, with the vendor's client of the protocol of EventStoreDB, or `umadb`, with its own. Both get the same
payloads, the same numbers of writers and events, and the same condition: the stream is as its writer left it. WRITERS and
SECONDS_EACH say how many and how long, PROCESSES over how many interpreters the writers are spread. A line of JSON comes out.
"""

import json
import multiprocessing
import os
import statistics
import sys
import threading
import time
import uuid

TARGET, ADDRESS = sys.argv[1:3]
WRITERS = int(os.environ.get("WRITERS", "16"))
EVENTS = int(os.environ.get("EVENTS", "1"))
SECONDS = float(os.environ.get("SECONDS_EACH", "8"))
PROCESSES = int(os.environ.get("PROCESSES", "4"))
# Events after which a writer begins another stream.
STREAM_EVENTS = 200


def payload(number):
    items = [
        {"id": number * 10 + item, "name": f"customer number {number + item}", "score": 0.125 * (number % 80), "tags": ["alpha", "beta"]}
        for item in range(2)
    ]
    return json.dumps({"node": f"http-request-{number % 37}", "attempt": 1, "finished_at": 1700000000000 + number, "items": items}).encode()


class Timeloom:
    def __init__(self):
        from kurrentdbclient import KurrentDBClient, NewEvent, StreamState

        self.event, self.none = NewEvent, StreamState.NO_STREAM
        self.client = KurrentDBClient(f"esdb://{ADDRESS}?tls=false")
        self.begin()

    def begin(self):
        self.stream, self.revision = f"bench-{uuid.uuid4()}", None

    def append(self, payloads):
        events = [self.event(type="NodeCompleted", data=data, content_type="application/json") for data in payloads]
        expected = self.none if self.revision is None else self.revision
        self.client.append_to_stream(self.stream, current_version=expected, events=events)
        self.revision = (-1 if self.revision is None else self.revision) + len(events)


class UmaDB:
    def __init__(self):
        import umadb

        self.umadb = umadb
        self.client = umadb.Client(f"http://{ADDRESS}")
        self.begin()

    def begin(self):
        self.tag, self.position = f"stream:{uuid.uuid4()}", None

    def append(self, payloads):
        umadb = self.umadb
        events = [umadb.Event("NodeCompleted", data, [self.tag], uuid.uuid4()) for data in payloads]
        condition = umadb.AppendCondition(umadb.Query([umadb.QueryItem(tags=[self.tag])]), self.position)
        self.position = self.client.append(events, condition)


def write(target, writer, ready, times):
    # The first append opens what a client opens when it is needed.
    target.append([payload(writer)])
    target.begin()
    ready.wait()
    until = time.perf_counter() + SECONDS
    number = writer * 10_000_000
    in_stream = 0
    while time.perf_counter() < until:
        if in_stream >= STREAM_EVENTS:
            target.begin()
            in_stream = 0
        payloads = [payload(number + index) for index in range(EVENTS)]
        began = time.perf_counter()
        target.append(payloads)
        times.append(time.perf_counter() - began)
        number += EVENTS
        in_stream += EVENTS


def run(writers, ready, out):
    # Clients are made here: UmaDB's has to be imported where signals are heard.
    targets = [{"timeloom": Timeloom, "umadb": UmaDB}[TARGET]() for _ in writers]
    lists = [[] for _ in writers]
    threads = [threading.Thread(target=write, args=(*each, ready, times)) for each, times in zip(zip(targets, writers), lists)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put([taken for times in lists for taken in times])


def main():
    # A process that was forked shares what a client has begun; each begins by itself.
    processes = multiprocessing.get_context("spawn")
    out, ready = processes.Queue(), processes.Barrier(WRITERS)
    shares = [list(range(first, WRITERS, PROCESSES)) for first in range(min(PROCESSES, WRITERS))]
    running = [processes.Process(target=run, args=(share, ready, out)) for share in shares]
    for process in running:
        process.start()
    times = sorted(taken for _ in running for taken in out.get())
    for process in running:
        process.join()
    result = {
        "target": TARGET,
        "writers": WRITERS,
        "events": EVENTS,
        "events_per_second": round(len(times) * EVENTS / SECONDS),
        "p50_ms": round(statistics.median(times) * 1000, 2),
        "p99_ms": round(times[len(times) * 99 // 100] * 1000, 2),
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
