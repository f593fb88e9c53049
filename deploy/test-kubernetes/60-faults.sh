# What fails, what it costs a running load, and what comes back by itself.
# shellcheck shell=bash

since() { echo "$EPOCHREALTIME $1" | awk '{printf "%.1f s", $1 - $2}'; }
agent_is() { r get clusters --output json | python3 -c '
import json, sys
for it in json.load(sys.stdin)["items"]:
    if it["metadata"]["name"] == sys.argv[1]: print(it["status"]["agent"]["state"])' "$1"; }

# A gateway pod is deleted while a second one stands by: where the calls go, then where they come from.
for side in west east; do
  config=$WEST; [ "$side" = west ] || config=$EAST
  load details 30 "$work/gateway-$side"
  sleep 5
  k "$config" --namespace rialto delete pod rialto-gateway-0 --wait >/dev/null
  wait "$loading"
  step "one of two gateways of $side deleted: $(figures "$work/gateway-$side")"
  few_lost "$work/gateway-$side"
  are_ready "$config"
done

# The agent is gone: what it told last stays in service.
load details 40 "$work/agent"
k "$WEST" --namespace rialto scale deployment/rialto-agent --replicas 0 >/dev/null
at=$EPOCHREALTIME
until_has "Silent" agent_is west
silent=$(since "$at")
sleep 5
at=$EPOCHREALTIME
k "$WEST" --namespace rialto scale deployment/rialto-agent --replicas 1 >/dev/null
until_has "Connected" agent_is west
back=$(since "$at")
wait "$loading"
step "the agent of west gone: Silent after $silent, back $back after its pod was asked for; $(figures "$work/agent")"
few_lost "$work/agent"

box=$(basename "$(dirname "$WEST")") state_of=$(dirname "$WEST")
if [ -e "/run/netns/$box" ] && [ -e "$state_of/pid/apiserver" ]; then
  # The API server is stopped for a minute: nothing new is learned. That the platform holds its node
  # for lost when it is back, and all pods for not ready, is known to be wrong.
  load details 75 "$work/apiserver"
  sleep 3
  kill -STOP "$(cat "$state_of/pid/apiserver")"
  sleep 60
  kill -CONT "$(cat "$state_of/pid/apiserver")"
  at=$EPOCHREALTIME
  until_has "deployment.apps/details scaled" k "$WEST" --namespace books scale deployment/details --replicas 2
  two() { r describe service books/details; }
  until_has "2/2 healthy" two
  step "the API server of west stopped for 60 s: a new endpoint is known $(since "$at") after it goes on"
  wait "$loading"
  step "meanwhile: $(figures "$work/apiserver")"
  few_lost "$work/apiserver"
  until_has '"cluster":"west"' where details

  # The cluster is cut off: what also lives elsewhere is served, the rest fails fast, and returns.
  packets() { nsenter --net="/run/netns/$box" nft "$@"; }
  load details 60 "$work/cut"; of_west=$loading
  load reviews 60 "$work/cut-both"
  sleep 5
  packets 'add table inet cut; add chain inet cut in { type filter hook prerouting priority -400; }; add rule inet cut in iifname "eth0" drop'
  at=$EPOCHREALTIME
  until_has "Silent" agent_is west
  silent=$(since "$at")
  sleep 20
  packets delete table inet cut
  at=$EPOCHREALTIME
  until_has '"cluster":"west"' where details
  served=$(since "$at")
  until_has "Connected" agent_is west
  step "west cut off: Silent after $silent, serves $served after the end of it, heard $(since "$at") after it"
  wait "$of_west"
  step "meanwhile, of what only west has: $(figures "$work/cut")"
  wait "$loading"
  step "meanwhile, of what east has too: $(figures "$work/cut-both")"
  expect ", 0 lost" figures "$work/cut-both"
fi
