#!/usr/bin/env bash
# An agent in front of a Kubernetes cluster of 2,000 Services, 20,000 endpoints and as many Pods.
#
#   KUBEBOX=PATH kubernetes.sh [OPTION…]     the options are of `cargo bench --bench kubernetes`
#
# KUBEBOX makes the cluster, which is removed again, as `large 3` unless KUBEBOX_LARGE says another.
# Only its API server and etcd go on: the objects are made by hand, and nothing is to run for them.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${KUBEBOX:?names the program that makes Kubernetes clusters}"
cluster=${KUBEBOX_LARGE:-large 3}
name=${cluster% *} number=${cluster#* }
work=$(mktemp -d)
end() { rm -rf "$work"; "$KUBEBOX" down "$name" "$number" >/dev/null 2>&1 || true; }
trap end EXIT

state=$(dirname "$("$KUBEBOX" up "$name" "$number")")
for crd in deploy/helm/rialto/crds/*.yaml; do
  "$KUBEBOX" kubectl "$name" apply -f "$crd" >/dev/null
done
"$KUBEBOX" kubectl "$name" wait --for condition=Established crd --all --timeout 60s >/dev/null
for part in lb kubelet proxy scheduler controller-manager; do kill "$(cat "$state/pid/$part")"; done
awk '/token:/ {gsub(/[]{}"]/, ""); print $NF}' "$state/kubeconfig" >"$work/token"
${CARGO:-cargo} bench --workspace --locked --bench kubernetes -- \
  --server "172.30.$number.2:6443" --ca "$state/certs/apiserver.crt" --token "$work/token" "$@"
