#!/usr/bin/env bash
# Two Kubernetes clusters and a bridge become a federation, and a pod of one calls a service of the
# other by name.
#
#   KUBEBOX=PATH test-kubernetes.sh                 on two clusters of its own, which it removes again
#   EAST=KUBECONFIG WEST=KUBECONFIG BRIDGE=HOST:PORT test-kubernetes.sh
#
# Needs `helm` and `kubectl`, a release binary (RIALTO, default target/release/rialto) and, for
# clusters that are not KUBEBOX's, its image in both clusters as IMAGE (default rialto:test) and an
# address of this machine that both reach (BRIDGE). With KEEP=1 everything stays for a look.
set -euo pipefail
cd "$(dirname "$0")/.."
RIALTO=${RIALTO:-target/release/rialto} IMAGE=${IMAGE:-rialto:test}
work=$(mktemp -d)
mine=() bridge=

end() {
  local status=$?
  [ "$status" = 0 ] || report >&2 || true
  if [ -z "${KEEP:-}" ]; then
    [ -z "$bridge" ] || kill "$bridge" 2>/dev/null || true
    for cluster in "${mine[@]}"; do "$KUBEBOX" down $cluster >/dev/null 2>&1 || true; done
    rm -rf "$work"
  else
    echo "kept: $work, bridge $bridge, EAST=$EAST WEST=$WEST"
  fi
  exit "$status"
}
trap end EXIT

report() {
  for cluster in "$EAST" "$WEST"; do
    k "$cluster" get pods,services --all-namespaces -o wide
    k "$cluster" --namespace rialto logs deployment/rialto-agent --tail 20
    k "$cluster" --namespace rialto logs statefulset/rialto-gateway --tail 20
  done
  tail -20 "$work/bridge.log"
}

k() { local config=$1; shift; kubectl --kubeconfig "$config" "$@"; }
r() { "$RIALTO" "$@" --server "http://127.0.0.1:$((port + 1))" --token-file "$work/admin.token"; }
step() { printf '%6.1f s  %s\n' "$(echo "$EPOCHREALTIME $began" | awk '{print $1 - $2}')" "$*"; }
# until TEXT COMMAND…: waits at most 90 s until the command's output has TEXT.
until_has() {
  local text=$1 output=; shift
  for _ in $(seq 180); do
    output=$("$@" 2>&1) && grep -qF -- "$text" <<<"$output" && return 0
    sleep 0.5
  done
  echo "waited in vain for \"$text\" in: $*" >&2; echo "$output" >&2; return 1
}

began=$EPOCHREALTIME
if [ -n "${KUBEBOX:-}" ]; then
  export PATH=${KUBEBOX_DIR:-/var/tmp/kubebox}/bin:$PATH
  kubectl() { kube-all kubectl "$@"; }
  deploy/image-root.sh "$RIALTO" "$work/image"
  mine+=("east 1"); EAST=$("$KUBEBOX" up east 1)
  mine+=("west 2"); WEST=$("$KUBEBOX" up west 2)
  for cluster in east west; do
    "$KUBEBOX" image "$cluster" "docker.io/library/$IMAGE" "$work/image" /usr/bin/rialto
  done
  BRIDGE=172.30.1.1:7640
fi
port=${BRIDGE##*:}
step "two clusters are up"

cat >"$work/bridge.yaml" <<X
listen: 0.0.0.0:$port
advertise: $BRIDGE
rest: 127.0.0.1:$((port + 1))
admin: 127.0.0.1:$((port + 2))
data: $work/bridge
adminTokenFile: $work/admin.token
X
"$RIALTO" bridge --config "$work/bridge.yaml" >"$work/bridge.log" 2>&1 &
bridge=$!
until_has "bridge-1" r status

join() {
  local name=$1 config=$2 command
  k "$config" create namespace rialto
  k "$config" label namespace rialto pod-security.kubernetes.io/enforce=restricted >/dev/null
  command=$(r join kubernetes "$name")
  KUBECONFIG=$config bash -c "$command --set image.repository=${IMAGE%:*} --set image.tag=${IMAGE##*:} ${3:-}" >/dev/null
  k "$config" --namespace rialto rollout status deployment/rialto-agent --timeout 120s >/dev/null
  k "$config" --namespace rialto rollout status statefulset/rialto-gateway --timeout 120s >/dev/null
  k "$config" --namespace rialto rollout status deployment/rialto-dns --timeout 120s >/dev/null
  step "$name has joined: agent, gateway and DNS proxies are ready"
}
join east "$EAST"
join west "$WEST"

# The cluster's DNS asks ours for the federated names, and caches nothing of them.
dns() {
  local config=$1 address
  address=$(k "$config" --namespace rialto get service rialto-dns -o 'jsonpath={.spec.clusterIP}')
  k "$config" --namespace kube-system get configmap coredns -o 'jsonpath={.data.Corefile}' >"$work/Corefile"
  printf 'clusterset.local:53 {\n  errors\n  forward . %s\n}\n' "$address" >>"$work/Corefile"
  k "$config" --namespace kube-system create configmap coredns --from-file "$work/Corefile" \
    --dry-run=client -o yaml | k "$config" apply -f - >/dev/null
  k "$config" --namespace kube-system rollout restart deployment/coredns >/dev/null
  k "$config" --namespace kube-system rollout status deployment/coredns --timeout 120s >/dev/null
}
dns "$EAST"

for config in "$EAST" "$WEST"; do k "$config" create namespace shop >/dev/null; done
k "$WEST" apply -f deploy/examples/kubernetes/hello.yaml >/dev/null
k "$WEST" --namespace shop rollout status deployment/hello --timeout 60s >/dev/null
k "$EAST" apply -f deploy/examples/kubernetes/client.yaml >/dev/null
k "$EAST" --namespace shop wait --for condition=Ready pod/client --timeout 60s >/dev/null
until_has "hello" r get services
step "the service of west is in the catalog"

# BusyBox's wget, linked statically, cannot be used here: it crashes on names and addresses alike.
call() {
  k "$EAST" --namespace shop exec client -- \
    sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 hello.shop.svc.clusterset.local 80"
}
until_has "hello from west" call
step "a pod of east got it by hello.shop.svc.clusterset.local"

# A derived Service that is deleted comes back with its address.
address() { k "$EAST" --namespace rialto get services --selector rialto.dev/import -o 'jsonpath={.items[*].spec.clusterIP}'; }
before=$(address)
k "$EAST" --namespace rialto delete services --selector rialto.dev/import >/dev/null
until_has "$before" address
until_has "hello from west" call
step "the derived Service came back with its address"

# What nobody exports has no name.
k "$WEST" --namespace shop delete serviceexport hello >/dev/null
gone() { call 2>&1 | grep -q "hello from west" || echo gone; }
until_has "gone" gone
step "after the unexport the name leads nowhere"

for config in "$EAST" "$WEST"; do
  KUBECONFIG=$config helm uninstall rialto --namespace rialto --wait >/dev/null
  left() { echo "left: $(k "$config" --namespace rialto get services -o name | wc -l)"; }
  until_has "left: 0" left
done
step "the release is gone, and with it every Service that was made"
echo "passed"
