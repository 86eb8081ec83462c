#!/usr/bin/env bash
# Drives the comparison with other workflow engines: ours first, then every peer that is installed.
#
# The harness (PEERS, a folder with bench.py) sends the same work to each engine over HTTP and kills each in the middle of
# 200 executions. It tells in its README how peers are installed; WORK is the folder that holds them. Peers that are not
# there are named and left out. Figures are added to RESULTS, one JSON line each, and shown as a table at the end.
#
#   PHASES=start,hook,run10 REPEAT=1 SECONDS_EACH=4 TARGETS="own restate" tests/benches/peers/run.sh
set -euo pipefail
cd "$(dirname "$0")/../../.."

peers=$(realpath -m "${PEERS:-../shared/bench/peers}")
export WORK=${WORK:-$HOME/peers}
results=$(realpath -m "${RESULTS:-target/peers.jsonl}")
phases=${PHASES:-start,hook,run10,fan,diskw,crash}
targets=${TARGETS:-own own-relaxed restate dbos-sqlite n8n}

if [ ! -f "$peers/bench.py" ]; then
  echo "There is no harness in $peers: say with PEERS= where the folder with bench.py lies." >&2
  exit 2
fi
if ! command -v wrk > /dev/null; then
  echo "The harness sends its requests with wrk, which is not installed." >&2
  exit 2
fi

mkdir -p "$WORK" "$(dirname "$results")"
here=$PWD/tests/benches/peers
TIMELOOM=$(realpath "$(scripts/program.sh)")
export TIMELOOM
export WORKFLOWS="$WORK/own-workflows"
export OWN_BASE=http://127.0.0.1:9999
export OWN_CMD="exec python3 '$here/own.py' serve"
export OWN_PREPARE="python3 '$here/own.py' prepare"
export OWN_COUNTS="python3 '$here/own.py' counts"
python3 "$here/own.py" workflows "$peers/n8n/make_workflows.py"

installed() {
  case $1 in
    own | own-relaxed) true ;;
    restate) [ -d "$WORK/restate/node_modules/@restatedev/restate-server-linux-x64" ] ;;
    dbos-*) [ -x "$WORK/pyv/bin/python" ] ;;
    temporal-*) [ -x "$WORK/tempv/bin/temporal" ] ;;
    prefect) [ -x "$WORK/prefv/bin/prefect" ] ;;
    n8n*) [ -f "$WORK/n8n/node_modules/n8n/bin/n8n" ] ;;
    node-red) [ -f "$WORK/nodered/node_modules/node-red/red.js" ] ;;
    *) true ;;
  esac
}

if [ -z "${NODE24:-}" ]; then
  NODE24=$(find "$WORK/node24/node_modules" -type f -name node -perm -u+x 2> /dev/null | head -1 || true)
fi
export NODE24=${NODE24:-node}

for target in $targets; do
  if ! installed "$target"; then
    echo "$target is not installed in $WORK, see $peers/README.md"
    continue
  fi
  # The level at which a workflow's events are acknowledged: compare only with peers that promise the same.
  unset DURABILITY
  name=$target
  if [ "$target" = own-relaxed ]; then
    export DURABILITY=relaxed
    name=own
  fi
  started=$(mktemp)
  python3 "$peers/bench.py" "$name" --phases "$phases" --reps "${REPEAT:-3}" --secs "${SECONDS_EACH:-8}" --out "$started" ||
    echo "$target: the harness ended with an error"
  sed "s/\"target\": \"$name\"/\"target\": \"$target\"/" "$started" >> "$results"
  rm -f "$started"
done
python3 "$peers/report.py" "$results"
