#!/usr/bin/env bash
# Runs a fuzz target on the stable compiler: scripts/fuzz.sh TARGET [SECONDS]. Its corpus is kept in fuzz/corpus/TARGET.
# `cargo +nightly fuzz run TARGET` does the same with the address sanitizer.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

target=${1:?which target: import or expression}
seconds=${2:-60}
triple=$(rustc -vV | sed -n 's/^host: //p')

# What libFuzzer needs to see which code an input reached. With --target, build scripts are built without it.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cdebug-assertions"
mkdir -p "corpus/$target"
for seed in ../examples/*/workflow.json; do
    [ "$target" = import ] && cp --no-clobber "$seed" "corpus/$target/$(basename "$(dirname "$seed")").json"
done
cargo build --release --target "$triple" --bin "$target"
"target/$triple/release/$target" "corpus/$target" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1
