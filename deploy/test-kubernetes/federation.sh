# The clusters, the bridge, and the words in which the checks are written.
# shellcheck shell=bash

mine=() bridge=

# Ends what was started; on a failure says what there was.
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

report() {
  for cluster in "$EAST" "$WEST"; do
    k "$cluster" get pods,services --all-namespaces -o wide
    k "$cluster" --namespace rialto logs deployment/rialto-agent --tail 20
    k "$cluster" --namespace rialto logs statefulset/rialto-gateway --tail 20
  done
  tail -20 "$work/bridge.log"
}

# kubectl of a cluster; the federation's command line; what was seen, and when.
k() { local config=$1; shift; kubectl --kubeconfig "$config" "$@"; }
r() { "$RIALTO" "$@" --server "http://127.0.0.1:$((port + 1))" --token-file "$work/admin.token"; }
step() { printf '%6.1f s  %s\n' "$(echo "$EPOCHREALTIME $began" | awk '{print $1 - $2}')" "$*"; }

# until_has TEXT COMMAND…: waits at most 90 s until the command's output has TEXT.
until_has() {
  local text=$1 output=; shift
  for _ in $(seq 180); do
    output=$("$@" 2>&1) && grep -qF -- "$text" <<<"$output" && return 0
    sleep 0.5
  done
  echo "waited in vain for \"$text\" in: $*" >&2; echo "$output" >&2; return 1
}

# expect TEXT COMMAND…: the output of the command, which may fail, has TEXT now.
expect() {
  local text=$1 output=; shift
  output=$("$@" 2>&1) || true
  grep -qF -- "$text" <<<"$output" && return 0
  echo "\"$text\" is missing in: $*" >&2; echo "$output" >&2; return 1
}

is_wanted() {
  local check=$1 part; shift
  [ $# = 0 ] && return 0
  for part in "$@"; do [[ $check == *"$part"* ]] && return 0; done
  return 1
}

# In a cluster of KUBEBOX, N is the second word of its name; this machine is 172.30.N.1 there.
make_clusters() {
  export PATH=${KUBEBOX_DIR:-/var/tmp/kubebox}/bin:$PATH
  kubectl() { kube-all kubectl "$@"; }
  local cluster
  deploy/image-root.sh "$RIALTO" "$work/image"
  mine+=("$KUBEBOX_EAST"); EAST=$("$KUBEBOX" up $KUBEBOX_EAST)
  mine+=("$KUBEBOX_WEST"); WEST=$("$KUBEBOX" up $KUBEBOX_WEST)
  for cluster in "$KUBEBOX_EAST" "$KUBEBOX_WEST"; do
    "$KUBEBOX" image "${cluster% *}" "docker.io/library/$IMAGE" "$work/image" /usr/bin/rialto
  done
  BRIDGE=${BRIDGE:-172.30.${KUBEBOX_EAST#* }.1:7640}
}

start_bridge() {
  port=${BRIDGE##*:}
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
}

# join NAME KUBECONFIG [OPTION…]: as a platform engineer does it; the options go to Helm.
join() {
  local name=$1 config=$2 command; shift 2
  k "$config" create namespace rialto >/dev/null
  k "$config" label namespace rialto pod-security.kubernetes.io/enforce=restricted >/dev/null
  command=$(r join kubernetes "$name" 2>/dev/null)
  KUBECONFIG=$config bash -c "$command --set image.repository=${IMAGE%:*} --set image.tag=${IMAGE##*:} $*" >/dev/null
  are_ready "$config"
  step "$name has joined: agent, gateway and DNS proxies are ready"
}

are_ready() {
  local part
  for part in deployment/rialto-agent statefulset/rialto-gateway deployment/rialto-dns; do
    k "$1" --namespace rialto rollout status "$part" --timeout 120s >/dev/null
  done
}

# The cluster's DNS asks ours for the federated names, and caches nothing of them.
forward_names() {
  local config=$1 address
  address=$(k "$config" --namespace rialto get service rialto-dns -o 'jsonpath={.spec.clusterIP}')
  k "$config" --namespace kube-system get configmap coredns -o 'jsonpath={.data.Corefile}' >"$work/Corefile"
  printf 'clusterset.local:53 {\n  errors\n  forward . %s\n}\n' "$address" >>"$work/Corefile"
  k "$config" --namespace kube-system create configmap coredns --from-file "$work/Corefile" \
    --dry-run=client -o yaml | k "$config" apply -f - >/dev/null 2>&1
  k "$config" --namespace kube-system rollout restart deployment/coredns >/dev/null
  k "$config" --namespace kube-system rollout status deployment/coredns --timeout 120s >/dev/null
}

# in_pod KUBECONFIG POD SCRIPT: the output of a shell script in a pod of namespace `shop`.
in_pod() { k "$1" --namespace shop exec "$2" -- sh -c "$3"; }

# call KUBECONFIG POD HOST [PORT]: what an HTTP server answers to a pod. BusyBox's wget, linked
# statically, cannot be used here: it crashes on names and addresses alike.
call() {
  in_pod "$1" "$2" "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 $3 ${4:-80}"
}
