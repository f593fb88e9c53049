# A pod of one cluster reaches a service of the other by its name, for as long as it is exported.
# shellcheck shell=bash

k "$WEST" apply -f deploy/examples/kubernetes/hello.yaml >/dev/null
k "$WEST" --namespace shop rollout status deployment/hello --timeout 60s >/dev/null
k "$EAST" apply -f deploy/examples/kubernetes/client.yaml >/dev/null
k "$EAST" --namespace shop wait --for condition=Ready pod/client --timeout 60s >/dev/null
until_has "hello" r get services
step "the service of west is in the catalog"

hello() { call "$EAST" client hello.shop.svc.clusterset.local; }
until_has "hello from west" hello
step "a pod of east got it by hello.shop.svc.clusterset.local"

# A derived Service that is deleted comes back with its address.
derived() { k "$EAST" --namespace rialto get services --selector rialto.dev/import -o 'jsonpath={.items[*].spec.clusterIP}'; }
before=$(derived)
k "$EAST" --namespace rialto delete services --selector rialto.dev/import >/dev/null
until_has "$before" derived
until_has "hello from west" hello
step "the derived Service came back with its address"
