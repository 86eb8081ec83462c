#!/usr/bin/env bash
# Builds the JavaScript sandbox: guest/dist/guest.cwasm, which the server embeds.
# Does nothing when the inputs are the ones of the last build.
set -euo pipefail
cd "$(dirname "$0")"

inputs() {
    cat guest/package-lock.json guest/build.mjs guest/wit/*.wit src/config.rs src/bin/precompile.rs
    find guest/src -type f | LC_ALL=C sort | xargs cat
    grep -A1 '^name = "wasmtime"$' ../../Cargo.lock
    uname -sm
}
stamp="$(inputs | sha256sum | cut -d' ' -f1)"
if [[ -f guest/dist/guest.cwasm && "$(cat guest/dist/stamp 2>/dev/null)" == "$stamp" ]]; then
    echo "sandbox: up to date"
    exit 0
fi

echo "sandbox: installing the guest's packages"
# Not `npm ci`: it insists on lock entries for platforms whose optional binding was never published.
(cd guest && npm install --no-save --no-audit --no-fund --loglevel=error)
echo "sandbox: bundling the guest"
(cd guest && node build.mjs)
# The unoptimised compiler gives the same image; building an optimised one would take longer than it saves.
echo "sandbox: compiling the guest (the first time, this builds the WebAssembly compiler as well: about two minutes)"
cargo run --quiet -p timeloom-sandbox --features compile --bin precompile -- guest/dist/guest.wasm guest/dist/guest.cwasm.part
mv guest/dist/guest.cwasm.part guest/dist/guest.cwasm
echo "$stamp" > guest/dist/stamp
echo "sandbox: done, $(du -h guest/dist/guest.cwasm | cut -f1)"
