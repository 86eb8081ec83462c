#!/usr/bin/env bash
# Runs the tests of the web app in Chromium, with the real program of the debug profile. Without Chromium it says SKIPPED, as the
# other tests with a browser do; where CI is set nothing may be left out, so that it fails.
set -euo pipefail
cd "$(dirname "$0")/.."

browser="${CHROMIUM:-/usr/bin/chromium}"
if [ ! -x "$browser" ]; then
  echo "SKIPPED: the tests of the web app, for Chromium is not installed at $browser (Debian's package chromium, or name another by CHROMIUM)" >&2
  [ -z "${CI:-}" ] || exit 1
  exit 0
fi
TIMELOOM_BIN="${TIMELOOM_BIN:-$(realpath "$(scripts/program.sh debug)")}"
export TIMELOOM_BIN
npm --prefix web run e2e
