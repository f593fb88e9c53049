# The bookstore is spread over two clusters and a fleet of machines, and a pod reaches by plain
# names what exists only in the other cluster, what exists in both (local first), and the fleet.
# shellcheck shell=bash

host=${BRIDGE%:*} fleet=()
service() { # NAME VERSION CLUSTER [EXPORT]
  cat <<X
apiVersion: apps/v1
kind: Deployment
metadata: {name: $1, namespace: books}
spec:
  replicas: 1
  selector: {matchLabels: {app: $1}}
  template:
    metadata: {labels: {app: $1}}
    spec:
      serviceAccountName: $1
      terminationGracePeriodSeconds: 5
      containers:
      - name: $1
        image: $IMAGE
        imagePullPolicy: IfNotPresent
        args: [demo, app, $1, --listen, "0.0.0.0:8080", --version, $2, --cluster, $3, --instance, $3-1]
        readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: $1, namespace: books}
---
apiVersion: v1
kind: Service
metadata: {name: $1, namespace: books}
spec:
  selector: {app: $1}
  ports: [{name: http, port: 9080, targetPort: 8080, appProtocol: http}]
---
X
  [ -z "${4:-}" ] || cat <<X
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {name: $1, namespace: books}
---
X
}
for config in "$EAST" "$WEST"; do k "$config" create namespace books >/dev/null; done
{ service productpage v1 east; service reviews v2 east export; } | k "$EAST" apply -f - >/dev/null
{ service details v1 west export; service reviews v2 west export; } | k "$WEST" apply -f - >/dev/null

# The fleet: one machine, this one, with its own parts and a plain server.
mkdir "$work/vms"
cat >"$work/vms/cluster.yaml" <<X
{apiVersion: rialto.dev/v1alpha1, kind: Cluster, metadata: {name: vms}, spec: {}}
X
cat >"$work/vms/fleet.yaml" <<X
namespaces: [books]
services:
- namespace: books
  name: ratings
  export: true
  ports: [{name: http, port: 9080, targetPort: $((port + 9)), protocol: http}]
  endpoints: [{address: $host}]
X
cat >"$work/vms/node.yaml" <<X
agent:
  dataFolder: $work/vms/agent
  registry: {static: $work/vms/fleet.yaml}
  socket: $work/vms/agent.sock
  tokenFile: $work/vms/join.token
  listen: 127.0.0.1:$((port + 3))
  admin: 127.0.0.1:$((port + 4))
gateway:
  id: vm-1
  dataFolder: $work/vms/gateway
  agentSocket: $work/vms/agent.sock
  tunnel: {listen: "$host:$((port + 5))"}
  capture: "off"
  admin: 127.0.0.1:$((port + 6))
dns:
  id: vm-1
  dataFolder: $work/vms/dns
  agentSocket: $work/vms/agent.sock
  listen: ["127.0.0.1:$((port + 7))"]
  admin: 127.0.0.1:$((port + 8))
X
r apply -f "$work/vms/cluster.yaml" >/dev/null
r join token --cluster vms >"$work/vms/join.token" 2>/dev/null
"$RIALTO" node --config "$work/vms/node.yaml" >"$work/vms/node.log" 2>&1 &
started+=($!)
"$RIALTO" demo app ratings --listen "$host:$((port + 9))" --cluster vms --instance vm-1 >/dev/null 2>&1 &
started+=($!)

for part in productpage reviews; do k "$EAST" --namespace books rollout status "deployment/$part" --timeout 60s >/dev/null; done
for part in details reviews; do k "$WEST" --namespace books rollout status "deployment/$part" --timeout 60s >/dev/null; done
# Each part of a page, with the cluster that it came from. The server ends a request whose client
# has closed its side already.
page() {
  in_pod "$EAST" client "{ printf 'GET / HTTP/1.0\r\n\r\n'; sleep 1; } | nc -w 5 productpage.books.svc.cluster.local 9080" |
    tail -1 | python3 -c '
import json, sys
told = json.load(sys.stdin)
reviews = told["reviews"]
parts = {"productpage": told, "details": told["details"], "reviews": reviews, "ratings": reviews.get("ratings", {})}
print(" ".join("%s=%s" % (name, part.get("cluster", part)) for name, part in parts.items()))'
}
until_has "productpage=east details=west reviews=east ratings=vms" page
step "a page is made of both clusters and the fleet: $(page)"
where() { call "$EAST" client "$1.books.svc.clusterset.local" 9080 | grep -o '"cluster":"[a-z]*"' | head -1; }
for _ in 1 2 3 4 5; do
  until_has '"cluster":"west"' where details
  expect '"cluster":"east"' where reviews
  until_has '"cluster":"vms"' where ratings
done
step "kubectl exec in a pod: only there, local first, on the fleet, by name"
