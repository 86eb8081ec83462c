#!/usr/bin/env bash
# Appends over gRPC by Python clients: UmaDB, and ours by the protocol of EventStoreDB, in turns, each acknowledged by the disk.
#
#   ROUNDS=3 SECONDS_EACH=8 tests/benches/eventstore/run.sh
#
# What is needed of PyPI is fetched into target/ by its hashes. Medians and the ratio are printed at the end.
set -euo pipefail
cd "$(dirname "$0")/../../.."

here=tests/benches/eventstore
rounds=${ROUNDS:-3}
work=$(mktemp -d target/eventstore.XXXXXX)
venv=target/eventstore-clients
requirements=tests/it/process/esdb/clients/requirements.txt
program=$(realpath "$(scripts/program.sh)")

if ! cmp -s <(cat "$requirements" $here/requirements.txt) "$venv/fetched"; then
  python3 -m venv --clear "$venv"
  for file in "$requirements" $here/requirements.txt; do
    "$venv/bin/pip" install --quiet --no-deps --only-binary=:all: --require-hashes -r "$file"
  done
  cat "$requirements" $here/requirements.txt > "$venv/fetched"
fi

# Whatever is running when this ends is ours.
trap 'kill $(jobs -p) 2> /dev/null || true; wait; rm -rf "$work"' EXIT

"$program" tenant open 0 bench --data "$work/timeloom" > /dev/null
"$program" serve --sign-in off --data "$work/timeloom" --listen 127.0.0.1:0 --esdb-port 0 2> "$work/timeloom.log" &
"$venv/bin/umadb" --listen 127.0.0.1:50991 --db-path "$work/umadb" > "$work/umadb.log" 2>&1 &
until address=$(grep -om1 'esdb://[0-9.:]*' "$work/timeloom.log"); do sleep 0.1; done
until (: < /dev/tcp/127.0.0.1/50991) 2> /dev/null; do sleep 0.1; done

for shape in "16 1" "1 1" "16 10"; do
  read -r WRITERS EVENTS <<< "$shape"
  export WRITERS EVENTS
  for _ in $(seq "$rounds"); do
    "$venv/bin/python" $here/load.py umadb 127.0.0.1:50991 | tee -a "$work/results"
    "$venv/bin/python" $here/load.py timeloom "${address#esdb://}" | tee -a "$work/results"
  done
done

"$venv/bin/python" - "$work/results" << 'END'
import json, statistics, sys

results = [json.loads(line) for line in open(sys.argv[1])]
print("| writers x events | UmaDB, events/s | Timeloom, events/s | ratio | p50 / p99 ms, UmaDB | p50 / p99 ms, Timeloom |")
print("|---|---|---|---|---|---|")
for shape in dict.fromkeys((result["writers"], result["events"]) for result in results):
    of = {
        target: {
            name: statistics.median(result[name] for result in results if (result["writers"], result["events"], result["target"]) == (*shape, target))
            for name in ("events_per_second", "p50_ms", "p99_ms")
        }
        for target in ("umadb", "timeloom")
    }
    uma, own = of["umadb"], of["timeloom"]
    ratio = own["events_per_second"] / uma["events_per_second"]
    times = " | ".join(f"{one['p50_ms']:.2f} / {one['p99_ms']:.2f}" for one in (uma, own))
    print(f"| {shape[0]} x {shape[1]} | {uma['events_per_second']:.0f} | {own['events_per_second']:.0f} | {ratio:.2f} | {times} |")
END
