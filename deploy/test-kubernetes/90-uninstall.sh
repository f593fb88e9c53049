# What is uninstalled leaves nothing: every object, the node's packet filter and the configuration of
# the cluster's DNS are as before the cluster joined.
# shellcheck shell=bash

left() { state "$2" | diff "$work/$1.before" - >"$work/$1.left" && echo "nothing is left"; }
# A line for each field that differs, after the object that has it.
differences() {
  local side
  for side in '<' '>'; do
    sed -n "s/^$side //p" "$work/$1.left" |
      awk '{ object = $1 " " $2 " " $3; n = split($0, fields, ", \""); for (i = 1; i <= n; i++) print object ": " fields[i] }' \
        >"$work/$1.left$side"
  done
  diff "$work/$1.left<" "$work/$1.left>" | head -60
}
# kube-proxy empties what it made for a Service that is gone, and drops it at its next change: a
# Service without endpoints is one.
nudge() {
  k "$1" --namespace default create service clusterip nudge --tcp 1 >/dev/null
  sleep 2
  k "$1" --namespace default delete service nudge >/dev/null
}
# What is said on an export that somebody made, which outlives us.
kept() {
  k "$1" --namespace kept get serviceexports.multicluster.x-k8s.io/web -o 'jsonpath={.status}'
}
for name in east west; do
  [ "$name" = east ] && config=$EAST || config=$WEST
  [ "$name" = east ] && other=west || other=east
  k "$config" delete namespace shop books --wait --ignore-not-found >/dev/null
  expect "this kubeconfig leads to cluster \`$name\`" r uninstall kubernetes "$other" --kubeconfig "$config"
  expect "would go" r uninstall kubernetes "$name" --kubeconfig "$config" --dry-run
  k "$config" create namespace kept >/dev/null
  k "$config" --namespace kept create service clusterip web --tcp 80 >/dev/null
  k "$config" apply -f - <<X >/dev/null
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {name: web, namespace: kept}
X
  until_has Valid kept "$config"
  r uninstall kubernetes "$name" --kubeconfig "$config" >"$work/uninstall.log" 2>&1 ||
    { cat "$work/uninstall.log" >&2; false; }
  expect "Cluster $name was taken out of the federation" cat "$work/uninstall.log"
  [ -z "$(kept "$config")" ] || { kept "$config" >&2; false; }
  k "$config" delete namespace kept --wait >/dev/null
  nudge "$config"
  until_has "nothing is left" left "$name" "$config" || { differences "$name" >&2; false; }
  ! r get clusters --output name | grep -qx "$name" || { echo "$name is a cluster still" >&2; false; }
  step "$name is as it was before"
done
