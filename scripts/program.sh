#!/usr/bin/env bash
# Prints where the built program lies (of the profile that is named, else the release), also when cargo builds outside this folder.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "${CARGO_TARGET_DIR:-target}/${1:-release}/timeloom"
