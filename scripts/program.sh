#!/usr/bin/env bash
# Prints where the built program lies, also when cargo builds outside this folder.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "${CARGO_TARGET_DIR:-target}/release/timeloom"
