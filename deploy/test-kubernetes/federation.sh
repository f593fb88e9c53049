# The clusters, the bridge, and the words in which the checks are written.
# shellcheck shell=bash

mine=() bridge= started=()

# Ends what was started; on a failure says what there was.
end() {
  local status=$?
  [ "$status" = 0 ] || [ "$status" = 75 ] || report >&2 || true
  if [ -z "${KEEP:-}" ]; then
    for process in "${started[@]}" $bridge; do kill "$process" 2>/dev/null || true; done
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

# kubectl of a cluster; the federation's command line; what is found wrong, which is no failure here;
# what was seen, and when.
k() { local config=$1; shift; kubectl --kubeconfig "$config" "$@"; }
r() { "$RIALTO" "$@" --server "http://127.0.0.1:$((port + 1))" --token-file "$token"; }
checked() { r check || true; }
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

# Ends with a status of its own: nothing was checked.
cannot_make() { echo "no Kubernetes clusters: $1" >&2; exit 75; }

# In a cluster of KUBEBOX, N is the second word of its name; this machine is 172.30.N.1 there.
make_clusters() {
  mkdir "$work/bin"
  printf '#!/bin/sh\nexec kube-all kubectl "$@"\n' >"$work/bin/kubectl"
  chmod +x "$work/bin/kubectl"
  export PATH=$work/bin:${KUBEBOX_DIR:-/var/tmp/kubebox}/bin:$PATH
  local cluster
  WITHOUT_PAGE=1 deploy/image-root.sh "$RIALTO" "$work/image"
  for cluster in "$KUBEBOX_EAST" "$KUBEBOX_WEST"; do
    [ ! -e "${KUBEBOX_DIR:-/var/tmp/kubebox}/${cluster% *}" ] ||
      cannot_make "${cluster% *} is there already: '$KUBEBOX down $cluster' ends it"
    mine+=("$cluster")
    "$KUBEBOX" up $cluster >"$work/kubeconfig" &&
      "$KUBEBOX" kubectl "${cluster% *}" wait node --all --for condition=Ready >/dev/null ||
      cannot_make "$cluster does not come up"
    [ -n "$EAST" ] && WEST=$(<"$work/kubeconfig") || EAST=$(<"$work/kubeconfig")
  done
  for cluster in "$KUBEBOX_EAST" "$KUBEBOX_WEST"; do
    "$KUBEBOX" image "${cluster% *}" "docker.io/library/$IMAGE" "$work/image" /usr/bin/rialto
  done
  BRIDGE=${BRIDGE:-172.30.${KUBEBOX_EAST#* }.1:7640}
}

start_bridge() {
  port=${BRIDGE##*:} token=$work/admin.token
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

# prepare NAME KUBECONFIG: the namespace of the release, and what the cluster was before it.
prepare() {
  local name=$1 config=$2
  k "$config" create namespace rialto >/dev/null
  k "$config" label namespace rialto pod-security.kubernetes.io/enforce=restricted >/dev/null
  k "$config" --namespace kube-system rollout status deployment/coredns --timeout 120s >/dev/null
  state "$config" >"$work/$name.before"
  for _ in $(seq 30); do
    sleep 1
    state "$config" >"$work/$name.again"
    cmp -s "$work/$name.before" "$work/$name.again" && return 0
    mv "$work/$name.again" "$work/$name.before"
  done
  echo "$name does not come to rest" >&2; return 1
}

# state KUBECONFIG: all that makes up a cluster, a line each: every object but those that change by
# themselves, and where we can see it the node's packet filter.
state() {
  local config=$1 kinds
  kinds=$(k "$config" api-resources --verbs list -o name 2>/dev/null |
    grep -vE '^(pods|events|events\.events\.k8s\.io|leases\..*|customresourcedefinitions\..*|componentstatuses|.*\.metrics\.k8s\.io)$' | paste -sd,)
  k "$config" get "$kinds" --all-namespaces -o json 2>/dev/null | python3 -c '
import json, sys
for it in json.load(sys.stdin)["items"]:
    meta = it["metadata"]
    for name in ("resourceVersion", "managedFields"): meta.pop(name, None)
    if it["kind"] == "Node": it.pop("status")
    # Of when, and how often, a pod was not ready, as all are after their API server stood still.
    meta.get("annotations", {}).pop("endpoints.kubernetes.io/last-change-trigger-time", None)
    if not meta.get("annotations", True): meta.pop("annotations")
    if it["kind"] in ("Endpoints", "EndpointSlice"): meta.pop("generation", None)
    if it["kind"] == "Deployment":
        conditions = it.get("status", {}).get("conditions", [])
        conditions.sort(key=lambda condition: condition["type"])
        for condition in conditions:
            for time in ("lastTransitionTime", "lastUpdateTime"): condition.pop(time, None)
    # The API server makes these of the CRDs, which stay.
    if it["kind"] == "APIService" and "multicluster.x-k8s.io" in meta["name"]: continue
    print(it["kind"], meta.get("namespace", ""), meta["name"], json.dumps(it, sort_keys=True))
' | sort
  local box; box=$(basename "$(dirname "$config")")
  # A line for each chain, set and map: their order in a table says when each was made.
  if [ -e "/run/netns/$box" ]; then
    nsenter --net="/run/netns/$box" nft -s list ruleset 2>/dev/null | python3 -c '
import sys
table, part = "", []
for line in sys.stdin.read().splitlines():
    if line.startswith("table "): table = line; print(table)
    elif line == "\t}": print(table, *part); part = []
    elif line.strip() and line != "}": part.append(line.strip())
' | sort
  fi
}

install_dns() {
  local said
  said=$("$RIALTO" install dns --kubeconfig "$1" 2>&1) || { echo "$said" >&2; return 1; }
}

# in_pod KUBECONFIG POD SCRIPT: the output of a shell script in a pod of namespace `shop`.
in_pod() { k "$1" --namespace shop exec "$2" -- sh -c "$3"; }

# call KUBECONFIG POD HOST [PORT]: what an HTTP server answers to a pod. BusyBox's wget, linked
# statically, cannot be used here: it crashes on names and addresses alike.
call() {
  in_pod "$1" "$2" "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 $3 ${4:-80}"
}
