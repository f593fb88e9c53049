#!/usr/bin/env bash
# Two Kubernetes clusters and a bridge become a federation; the checks in test-kubernetes/ follow,
# in the order of their names.
#
#   KUBEBOX=PATH test-kubernetes.sh [CHECK…]        on two clusters of its own, which it removes again
#   EAST=KUBECONFIG WEST=KUBECONFIG BRIDGE=HOST:PORT test-kubernetes.sh [CHECK…]
#
# CHECK is a part of the names of the checks that are wanted: `reach`, for example; all by default.
# Needs `helm` and `kubectl`, a binary (RIALTO, default target/release/rialto; a debug one does) and,
# for clusters that are not KUBEBOX's, its image in both clusters as IMAGE (default rialto:test) and
# an address of this machine that both reach (BRIDGE). KUBEBOX's clusters are `east 1` and `west 2`
# unless KUBEBOX_EAST and KUBEBOX_WEST say others. With KEEP=1 everything stays for a look. Exits with
# 75 where KUBEBOX cannot make them.
set -euo pipefail
cd "$(dirname "$0")/.."
RIALTO=${RIALTO:-target/release/rialto} IMAGE=${IMAGE:-rialto:test}
KUBEBOX_EAST=${KUBEBOX_EAST:-east 1} KUBEBOX_WEST=${KUBEBOX_WEST:-west 2}
EAST=${EAST:-} WEST=${WEST:-}
work=$(mktemp -d)
began=$EPOCHREALTIME
. deploy/test-kubernetes/federation.sh
trap end EXIT

[ -z "${KUBEBOX:-}" ] || make_clusters
step "two clusters are up"
start_bridge
prepare east "$EAST"
prepare west "$WEST"
join east "$EAST"
join west "$WEST"
install_dns "$EAST" & other=$!
install_dns "$WEST"
wait "$other"
step "the DNS of both clusters forwards clusterset.local"
for config in "$EAST" "$WEST"; do k "$config" create namespace shop >/dev/null; done

for check in deploy/test-kubernetes/[0-9]*.sh; do
  is_wanted "$check" "$@" || continue
  . "$check"
done
echo "passed"
