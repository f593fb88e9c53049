#!/usr/bin/env bash
# Measures Rialto beside its peers: BENCH names the folder of the benchmark kit; more options go to it.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
kit="${BENCH:?names the folder of the benchmark kit; see docs/performance.md}"
export RIALTO_BIN="${RIALTO_BIN:-$here/../../target/release/rialto}"
result="${RESULT:-${TMPDIR:-/tmp}/rialto-bench.json}"

"$kit/build.sh"
"$kit/bench.py" --out "$result" --cases twohop --peers haproxy-h2,envoy-connect \
  --extra rialto-tcp="$here/launch.sh":tcp --extra rialto-http="$here/launch.sh":http "$@"
"$kit/report.py" "$result"
