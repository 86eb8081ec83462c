#!/usr/bin/env bash
# Proves the CUDA side on a machine that has a GPU and no internet. Two steps, on two machines:
#
#   gpu-check.sh pack FOLDER   where there is internet: fetches ONNX Runtime for CUDA, builds the tests and the bench, and
#                              lays all that the other machine needs into FOLDER, in parts of at most 48 MiB.
#   gpu-check.sh run FOLDER    where there is a GPU: joins the parts, finds CUDA's libraries among the Python packages, runs
#                              the tests of CUDA each in a process of its own, then the benches. Needs neither cargo nor
#                              a network: only FOLDER, python3 and a driver. Parts may come one after the other, as long
#                              as all lie in FOLDER in the end.
#   gpu-check.sh refusals FOLDER   where there is no driver: the same library must be refused for want of one.
set -euo pipefail

VERSION=1.31.1
WHEEL_SHA256=e26c475fe361b2015f45b4b824bd13f0bb20204e59b62814e6f0acd5f3d491a6
PART=48M
TEST_SECONDS=90
AT_ONCE="${AT_ONCE:-4}"
BENCH_SECONDS=240
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/timeloom"
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

main() {
  case "${1:-}" in
  pack) pack "${2:?name the folder to pack into}" ;;
  run) run "${2:?name the packed folder}" ;;
  refusals) refusals "${2:?name the packed folder}" ;;
  *) stop "say what to do: pack FOLDER, run FOLDER or refusals FOLDER" ;;
  esac
}

# ---- where there is internet

pack() {
  cd "$HERE/.."
  mkdir -p "$1"
  local folder libraries
  folder="$(cd "$1" && pwd)"
  libraries="$(fetch)"
  mkdir -p "$folder/tools/models"
  split_provider "$libraries/libonnxruntime_providers_cuda.so" "$folder"
  cp "$libraries/libonnxruntime.so.$VERSION" "$libraries/libonnxruntime_providers_shared.so" "$folder/tools/"
  note "building the tests and the bench"
  cp "$(built --test cuda)" "$folder/tools/tests"
  cp "$(built --bench cuda)" "$folder/tools/bench"
  strip "$folder/tools/tests" "$folder/tools/bench"
  cp -r inference/runtime/tests/models/. "$folder/tools/models/"
  cp inference/runtime/benches/models/*.py scripts/gpu-check.sh "$folder/tools/"
  du -sh "$folder"/*
}

# The libraries of the wheel, in the cache. GPU_LIBRARIES names a folder that has them already.
fetch() {
  if [ -n "${GPU_LIBRARIES:-}" ]; then
    echo "$GPU_LIBRARIES"
    return
  fi
  local lib="$CACHE/onnxruntime-gpu-$VERSION/lib"
  if [ ! -f "$lib/libonnxruntime_providers_cuda.so" ]; then
    local work
    work="$(mktemp -d)"
    note "fetching onnxruntime-gpu $VERSION (256 MB)" >&2
    echo "onnxruntime-gpu==$VERSION --hash=sha256:$WHEEL_SHA256" >"$work/requirements.txt"
    python3 -m pip download --quiet --no-deps --require-hashes --only-binary :all: --python-version 311 \
      --platform manylinux_2_28_x86_64 --dest "$work" --requirement "$work/requirements.txt" >&2
    mkdir -p "$lib"
    python3 - "$work" "$lib" <<'PYTHON'
import pathlib, sys, zipfile

wheel = next(pathlib.Path(sys.argv[1]).glob("*.whl"))
with zipfile.ZipFile(wheel) as files:
    for name in files.namelist():
        file = name.rsplit("/", 1)[-1]
        if name.startswith("onnxruntime/capi/libonnxruntime") and "tensorrt" not in file:
            pathlib.Path(sys.argv[2], file).write_bytes(files.read(name))
PYTHON
    rm -rf "$work"
  fi
  echo "$lib"
}

# The provider is 284 MB: compressed and split, each part in a folder of its own.
split_provider() {
  local file="$1" folder="$2" number=0 part
  local digest
  digest="$(sha256sum "$file" | cut -d ' ' -f 1)"
  if [ "$digest" = "$(cat "$folder/tools/provider.sha256" 2>/dev/null)" ]; then return; fi
  # Parts of another version would be joined with these.
  rm -rf "$folder"/part-* "$folder"/provider.xz.* "$folder/tools/provider.sha256"
  note "compressing $(basename "$file") (a minute or two)"
  xz -3 --threads=0 --stdout "$file" | split -b "$PART" - "$folder/provider.xz."
  for part in "$folder"/provider.xz.*; do
    number=$((number + 1))
    mkdir -p "$folder/part-$number"
    mv "$part" "$folder/part-$number/"
  done
  # Last: whoever packs again after a break begins anew.
  echo "$digest" >"$folder/tools/provider.sha256"
}

# The program that cargo builds for these arguments. PROFILE=dev builds what is quicker to build.
built() {
  "${CARGO:-cargo}" test --no-run --package timeloom-inference --features cuda --profile "${PROFILE:-release}" \
    --message-format json "$@" | python3 -c '
import json, sys

made = [json.loads(line).get("executable") for line in sys.stdin if line.startswith("{")]
print([file for file in made if file][-1])'
}

# ---- where there is a GPU

run() {
  prepare "$1"
  command -v nvidia-smi >/dev/null && nvidia-smi -L
  export TIMELOOM_GPU=1 ORT_DISABLE_TELEMETRY=1
  local models="$WORK/bench" making
  python3 "$TOOLS/make.py" "$models" mlp bert bert-fp16 bert-fp16-fused resnet resnet-fp16 >"$WORK/make.log" 2>&1 &
  making=$!
  check gpu::
  note "the bench"
  wait "$making" || cat "$WORK/make.log"
  MODELS="$models" ROUNDS="${ROUNDS:-5}" ROUND_MS="${ROUND_MS:-400}" timeout "$BENCH_SECONDS" "$TOOLS/bench" ||
    FAILED+=("the bench (status $?)")
  timeout 90 python3 "$TOOLS/ceiling.py" 32 || note "the ceiling ended with status $?"
  verdict
}

refusals() {
  prepare "$1"
  check refusals::
  verdict
}

# Joins the parts, lays the libraries side by side and tells the linker where CUDA's are.
prepare() {
  local folder
  folder="$(cd "$1" && pwd)"
  TOOLS="$folder/tools"
  WORK="${WORK:-$(mktemp -d)}"
  FAILED=()
  mkdir -p "$WORK/lib"
  local provider="$WORK/lib/libonnxruntime_providers_cuda.so"
  if [ ! -f "$provider" ]; then
    note "joining the parts"
    cat "$folder"/part-*/provider.xz.* | unpack >"$provider.joining" && mv "$provider.joining" "$provider" ||
      stop "the parts cannot be joined: bring all of them again, each into $folder"
  fi
  echo "$(cat "$TOOLS/provider.sha256")  $provider" | sha256sum --check --quiet ||
    stop "the parts do not make the provider's file: bring all of them again"
  cp "$TOOLS"/libonnxruntime*.so* "$WORK/lib/"
  chmod +x "$TOOLS/tests" "$TOOLS/bench"
  export TIMELOOM_ONNXRUNTIME="$WORK/lib" TIMELOOM_TEST_MODELS="$TOOLS/models"
  LD_LIBRARY_PATH="$(cuda_folders)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  export LD_LIBRARY_PATH
  note "CUDA's libraries are looked for in ${LD_LIBRARY_PATH:-the usual folders}"
}

unpack() {
  if command -v xz >/dev/null; then xz -d -T0; else
    python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.stdin.buffer), sys.stdout.buffer)'
  fi
}

# Python packages bring CUDA's libraries, each in a folder of its own.
cuda_folders() {
  python3 - <<'PYTHON'
import glob, os

try:
    import nvidia

    roots = list(nvidia.__path__)
except ImportError:
    roots = []
folders = [folder for root in roots for folder in sorted(glob.glob(os.path.join(root, "*", "lib")))]
folders += [folder for folder in ("/usr/local/cuda/lib64", "/usr/local/nvidia/lib64") if os.path.isdir(folder)]
print(":".join(folders))
PYTHON
}

# Runs the tests of a module, each in a process of its own: one that crashes fails alone.
check() {
  local names name
  names="$("$TOOLS/tests" --ignored --list --format terse | sed -n "s/^\($1.*\): test$/\1/p")"
  [ -n "$names" ] || stop "there are no tests to run"
  mkdir -p "$WORK/logs"
  rm -f "$WORK/logs"/*
  export TOOLS WORK TEST_SECONDS
  export -f check_one
  xargs -P "$AT_ONCE" -I '{}' bash -c 'check_one {}' <<<"$names"
  for name in $names; do
    [ -f "$WORK/logs/$name.passed" ] || FAILED+=("$name")
  done
  note "$(wc -w <<<"$names") tests, ${#FAILED[@]} failed"
}

check_one() {
  local log="$WORK/logs/$1"
  if timeout "$TEST_SECONDS" "$TOOLS/tests" --ignored --exact "$1" --nocapture >"$log" 2>&1; then
    touch "$log.passed"
    sed -i '/^$/d; /^running/d; /^test /d; s/^/     /' "$log"
    sed -i "1i PASS $1" "$log"
    [ -s "$log" ] || echo "PASS $1" >"$log"
  else
    sed -i "s/^/     /; 1i FAIL $1 (status $?)" "$log"
  fi
  cat "$log"
}

verdict() { [ "${#FAILED[@]}" -eq 0 ] || stop "failed: ${FAILED[*]}"; }

# ---- words

note() { echo "gpu-check: $*"; }

stop() {
  echo "gpu-check: $*" >&2
  exit 1
}

main "$@"
