# A deployment scaled to zero costs a running load no request: the other cluster takes over, and
# gives back.
# shellcheck shell=bash

cat <<X | k "$EAST" apply -f - >/dev/null
apiVersion: v1
kind: Pod
metadata: {name: load, namespace: books}
spec:
  serviceAccountName: productpage
  terminationGracePeriodSeconds: 0
  containers:
  - {name: load, image: "$IMAGE", imagePullPolicy: IfNotPresent, args: [demo, app, details, --listen, "0.0.0.0:8080", --cluster, east, --instance, load]}
X
k "$EAST" --namespace books wait --for condition=Ready pod/load --timeout 60s >/dev/null

# load SERVICE SECONDS FILE: in the background, 20 requests a second, each on a connection of its own.
load() {
  k "$EAST" --namespace books exec load -- /usr/bin/rialto demo load \
    "http://$1.books.svc.clusterset.local:9080/about" --for "$2s" --rate 20 --parallel 4 --connections fresh >"$3" 2>&1 &
  loading=$!
}
# figures FILE: what a load saw.
figures() {
  python3 - "$1" <<'X'
import json, sys
told = json.loads(open(sys.argv[1]).read().strip().splitlines()[-1])
lost = sum(told["failed"].values())
why = f" {told['failed']} {told['reasons']}" if lost else ""
print(f"{told['good']} good, {lost} lost{why}, longest gap {told['longest_gap_ms']:.0f} ms, by cluster {told['clusters']}")
X
}
# few_lost FILE: of what is no fault of the data path, at most one in ten: a machine that is too busy
# makes gateways silent to each other for seconds.
few_lost() {
  python3 -c '
import json, sys
told = json.loads(open(sys.argv[1]).read().strip().splitlines()[-1])
sys.exit(10 * sum(told["failed"].values()) > told["good"])' "$1" || { figures "$1" >&2; return 1; }
}
scaled() {
  load reviews 30 "$work/scaled"
  sleep 5
  k "$EAST" --namespace books scale deployment/reviews --replicas 0 >/dev/null
  sleep 10
  k "$EAST" --namespace books scale deployment/reviews --replicas 1 >/dev/null
  wait "$loading"
  k "$EAST" --namespace books rollout status deployment/reviews --timeout 60s >/dev/null
  step "scaled to zero and back: $(figures "$work/scaled")"
}
scaled
# Where gateways stood still for a second, it is looked at once more.
figures "$work/scaled" | grep -qF ", 0 lost" || scaled
expect ", 0 lost" figures "$work/scaled"
expect "'west'" figures "$work/scaled"
