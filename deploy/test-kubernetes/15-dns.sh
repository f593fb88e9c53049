# `rialto install dns` shows its change, makes it, waits for an answer, and undoes exactly it.
# shellcheck shell=bash

corefile() { k "$EAST" --namespace kube-system get configmap coredns -o 'jsonpath={.data.Corefile}'; }
dns() { "$RIALTO" "$@" --kubeconfig "$EAST"; }
corefile >"$work/with"
expect "clusterset.local:53" corefile
expect "there already" dns install dns
dns uninstall dns >/dev/null 2>&1
corefile >"$work/without"
! grep -q rialto "$work/without" || { cat "$work/without" >&2; false; }
expect "forward . " dns install dns --dry-run
corefile | cmp - "$work/without"
# What a DNS says of a name that it forwards nowhere differs.
until_has "east  names: the cluster's DNS" checked
expect "✕ names" r describe cluster east
events() { k "$EAST" --namespace rialto get events --field-selector involvedObject.kind=Lease; }
until_has "Names" events
step "without the block check and an event say that names lead nowhere"
expect "A pod got an answer through the cluster's DNS" dns install dns
corefile | cmp - "$work/with"
until_has "hello from west" hello
step "with it they do again, and the configuration is the same to the byte"
k "$EAST" --namespace kube-system create configmap node-local-dns >/dev/null
expect "Add this block to the Corefile of the ConfigMap \`node-local-dns\`" dns install dns
k "$EAST" --namespace kube-system delete configmap node-local-dns >/dev/null
step "where a cache on the nodes answers, a person is told what to do instead"
