# The bridge comes from its chart, under Pod Security `restricted`: a cluster joins it through a load
# balancer that passes TCP through, and what it knows survives its pod.
# shellcheck shell=bash

if [ -n "${KUBEBOX:-}" ]; then
  b() { k "$WEST" --namespace rialto-bridge "$@"; }
  address=172.30.${KUBEBOX_WEST#* }.250
  k "$WEST" create namespace rialto-bridge >/dev/null
  k "$WEST" label namespace rialto-bridge pod-security.kubernetes.io/enforce=restricted >/dev/null
  # These clusters have nobody who makes volumes.
  mkdir -m 0777 "$work/volume"
  k "$WEST" apply -f - >/dev/null <<X
apiVersion: v1
kind: PersistentVolume
metadata: {name: rialto-bridge}
spec: {capacity: {storage: 2Gi}, accessModes: [ReadWriteOnce], hostPath: {path: $work/volume}}
X
  KUBECONFIG=$WEST helm install rialto-bridge deploy/helm/rialto-bridge --namespace rialto-bridge \
    --set "advertise=$address:7600" --set "service.loadBalancerIP=$address" \
    --set "image.repository=${IMAGE%:*}" --set "image.tag=${IMAGE##*:}" >/dev/null
  b rollout status statefulset/rialto-bridge --timeout 120s >/dev/null
  step "the bridge of the chart is ready"

  # Begins anew where it ends, as with a pod that does not run yet.
  forward() {
    ( trap 'kill "$!" 2>/dev/null; exit' TERM
      while :; do
        b port-forward statefulset/rialto-bridge "$((port + 1)):7601" >/dev/null 2>&1 & wait "$!" || true
        sleep 0.5
      done ) & forwarding=$!
    started+=("$forwarding")
  }
  stop_forwarding() { kill "$forwarding" 2>/dev/null || true; wait "$forwarding" 2>/dev/null || true; }
  port=$((port + 10)) token=$work/chart.token
  b logs statefulset/rialto-bridge | sed -n 's/^admin-token //p' >"$token"
  forward
  until_has "bridge-1" r status
  join east "$EAST"
  until_has "east" r get clusters
  expect "$address:7600" r status --output wide

  b delete pod rialto-bridge-0 --wait >/dev/null
  b rollout status statefulset/rialto-bridge --timeout 120s >/dev/null
  stop_forwarding
  forward
  connected() { r get clusters --output json | grep -o '"state": "Connected"'; }
  until_has "Connected" connected
  step "its pod was deleted; the next one knows the cluster, which came back to it"
  r uninstall kubernetes east --kubeconfig "$EAST" >/dev/null 2>&1
  stop_forwarding
  KUBECONFIG=$WEST helm uninstall rialto-bridge --namespace rialto-bridge --wait >/dev/null
  k "$WEST" delete namespace rialto-bridge --wait >/dev/null
  k "$WEST" delete persistentvolume rialto-bridge >/dev/null
fi
