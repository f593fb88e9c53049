# A caller is its pod's service account: one that a policy allows passes, another one is refused and
# `explain` says why; a caller that is no pod waits at most a second, and is nobody.
# shellcheck shell=bash

# caller NAME [HOST-NETWORK [SCRIPT]]: a pod of that name with a service account of that name.
caller() {
  cat <<X
apiVersion: v1
kind: ServiceAccount
metadata: {name: $1, namespace: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: $1, namespace: shop}
spec:
  serviceAccountName: $1
  hostNetwork: ${2:-false}
  dnsPolicy: ClusterFirstWithHostNet
  terminationGracePeriodSeconds: 0
  containers:
  - name: client
    image: busybox:1
    imagePullPolicy: IfNotPresent
    command: [sh, -c, '${3:-exec sleep infinity}']
---
X
}
is_running() { k "$EAST" --namespace shop wait --for condition=Ready "pod/$1" --timeout 60s >/dev/null; }
from() { call "$EAST" "$1" hello.shop.svc.clusterset.local 2>&1 || true; }
refused() { grep -q "hello from west" <<<"$(from "$1")" || echo "refused"; }
milliseconds() { local since=$EPOCHREALTIME; "$@" >/dev/null; echo $(((${EPOCHREALTIME/./} - ${since/./}) / 1000)); }

{ caller buyer; caller thief; caller node true; } | k "$EAST" apply -f - >/dev/null
for pod in buyer thief node; do is_running "$pod"; done
until_has "hello from west" from buyer
until_has "hello from west" from thief
first=$(milliseconds from node)
# Each of the two gateways waits for it once. A call may take long on a busy machine without a wait.
for _ in $(seq 10); do
  again=$(milliseconds from node)
  [ "$again" -ge 1000 ] || break
done
until_has "hello from west" from node
[ "$first" -ge 1000 ] && [ "$first" -lt 20000 ] || { echo "an unknown caller waited $first ms" >&2; false; }
[ "$again" -lt 1000 ] || { echo "one that stays unknown waited again, $again ms" >&2; false; }
step "without a policy everybody passes; one that is no pod after $first ms, then after $again ms"

r apply --wait -f deploy/examples/kubernetes/access-policy.yaml >/dev/null 2>&1
until_has "hello from west" from buyer
expect "\`shop/hello\` is allowed by rule 0 of AccessPolicy \`shop/hello-buyers\`" \
  r explain --from shop/buyer@east --to shop/hello
step "the allowed service account passes"

expect "refused" refused thief
expect "no ALLOW rule of \`shop/hello\` fits this caller" \
  r explain --from shop/thief@east --to shop/hello
step "another one is refused, and explain says why"
expect "refused" refused node
step "a caller that is no pod has no identity that a rule could allow"

# The agent's watch may be later than a pod's first packet, which waits at most a second for it. A
# machine that is too busy needs longer: how many were known is told, and that one was is judged.
call_at_once='printf "GET / HTTP/1.0\r\n\r\n" | nc -w 5 hello.shop.svc.clusterset.local 80; echo called; exec sleep infinity'
said() { k "$EAST" --namespace shop logs buyer; }
known=0
for _ in 1 2 3; do
  k "$EAST" --namespace shop delete pod buyer --wait >/dev/null
  caller buyer false "$call_at_once" | k "$EAST" apply -f - >/dev/null
  until_has "called" said
  if said | grep -q "hello from west"; then known=$((known + 1)); fi
done
[ "$known" -gt 0 ] || { echo "none of three new pods was known at its first call" >&2; false; }
until_has "hello from west" from buyer
step "pods that call as the first thing of their life are known: $known of 3"

r delete accesspolicy shop/hello-buyers --wait >/dev/null 2>&1
until_has "hello from west" from thief

# All of that holds only where the platform keeps source addresses: check proves it by a probe.
until_has "gateways see the pods' own ones" r describe cluster east
until_has "source addresses, ServiceImports: in order" r check
box=$(basename "$(dirname "$EAST")")
if [ -e "/run/netns/$box" ]; then
  node_nft() { nsenter --net="/run/netns/$box" nft "$@"; }
  node_nft 'add table ip translating; add chain ip translating out { type nat hook postrouting priority 50; }; add rule ip translating out tcp dport 9903 masquerade'
  until_has "east  source addresses: a gateway saw" checked
  node_nft delete table ip translating
  until_has "gateways see the pods' own ones" r describe cluster east
  step "check sees whether source addresses are kept, and whether they are not"
fi
