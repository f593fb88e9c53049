# A load balancer may have a host name in place of an address: the gateway is reached by what the
# name says, and elsewhere when it says another address.
# shellcheck shell=bash

state_of=$(dirname "$WEST")
if [ -e "$state_of/pid/lb" ]; then
  of_release() { k "$WEST" --namespace rialto "$@"; }
  named() { # ADDRESS: what the name says; kube-proxy takes it for the gateway's
    k "$WEST" apply -f - >/dev/null <<X
apiVersion: v1
kind: Service
metadata: {name: balancer, namespace: shop}
spec: {clusterIP: None, ports: [{port: 9443, protocol: UDP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: balancer, namespace: shop, labels: {kubernetes.io/service-name: balancer}}
addressType: IPv4
ports: [{port: 9443, protocol: UDP}]
endpoints: [{addresses: [$1]}]
X
    of_release patch service rialto-gateway-0 --type merge --patch "{\"spec\": {\"externalIPs\": [\"$1\"]}}" >/dev/null 2>&1
  }
  assigned() { # INGRESS: what a platform would say
    of_release patch service rialto-gateway-0 --subresource status --type merge \
      --patch "{\"status\": {\"loadBalancer\": {\"ingress\": $1}}}" >/dev/null
  }
  at() { r get cluster west --output json; }
  number=${KUBEBOX_WEST#* }
  # What assigns addresses in this cluster must not answer.
  kill -STOP "$(cat "$state_of/pid/lb")"
  named "172.30.$number.200"
  assigned '[{"hostname": "balancer.shop.svc.cluster.local"}]'
  until_has "172.30.$number.200:9443" at
  until_has "0 failed, 0 warnings" r check
  named "172.30.$number.201"
  until_has "172.30.$number.201:9443" at
  until_has "0 failed, 0 warnings" r check
  kill -CONT "$(cat "$state_of/pid/lb")"
  of_release patch service rialto-gateway-0 --type merge --patch '{"spec": {"externalIPs": null}}' >/dev/null
  assigned null
  k "$WEST" --namespace shop delete service/balancer endpointslice/balancer --ignore-not-found >/dev/null
  away() { at | grep -qF "172.30.$number.201:9443" || echo "another one"; }
  until_has "another one" away
  until_has "0 failed, 0 warnings" r check
  step "a gateway was reached by the host name of its load balancer, also when it got another address"
fi
