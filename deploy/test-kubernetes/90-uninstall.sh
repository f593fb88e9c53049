# What is uninstalled leaves nothing: every object, the node's packet filter and the configuration of
# the cluster's DNS are as before the cluster joined.
# shellcheck shell=bash

left() { state "$2" | diff "$work/$1.before" - >"$work/$1.left" && echo "nothing is left"; }
# kube-proxy empties what it made for a Service that is gone, and drops it at its next change: a
# Service without endpoints is one.
nudge() {
  k "$1" --namespace default create service clusterip nudge --tcp 1 >/dev/null
  sleep 2
  k "$1" --namespace default delete service nudge >/dev/null
}
for name in east west; do
  [ "$name" = east ] && config=$EAST || config=$WEST
  [ "$name" = east ] && other=west || other=east
  k "$config" delete namespace shop books --wait --ignore-not-found >/dev/null
  expect "this kubeconfig leads to cluster \`$name\`" r uninstall kubernetes "$other" --kubeconfig "$config"
  expect "would go" r uninstall kubernetes "$name" --kubeconfig "$config" --dry-run
  r uninstall kubernetes "$name" --kubeconfig "$config" >"$work/uninstall.log" 2>&1 ||
    { cat "$work/uninstall.log" >&2; false; }
  expect "Cluster $name was taken out of the federation" cat "$work/uninstall.log"
  nudge "$config"
  until_has "nothing is left" left "$name" "$config" || { cut -c -300 "$work/$name.left" >&2; false; }
  ! r get clusters --output name | grep -qx "$name"
  step "$name is as it was before"
done
