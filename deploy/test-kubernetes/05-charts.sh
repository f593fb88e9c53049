# What the charts render is the same each time, and wrong values are refused.
# shellcheck shell=bash

anchor=$(printf '0%.0s' {1..64})
render() { helm template rialto deploy/helm/rialto --kube-version 1.36 --set cluster=east --set-string "anchor=$anchor" "$@"; }
render_bridge() { helm template rialto-bridge deploy/helm/rialto-bridge --kube-version 1.36 "$@"; }
for time in 1 2; do
  render >"$work/render.$time"
  render_bridge --set advertise=bridge.example.net:7600 >"$work/render-bridge.$time"
done
cmp "$work/render.1" "$work/render.2"
cmp "$work/render-bridge.1" "$work/render-bridge.2"
expect "mode" render --set mode=Rule
expect "additional properties 'gatway' not allowed" render --set gatway.replicas=2
expect "advertise" render_bridge
expect "storage" render_bridge --set advertise=a:1 --set storage.size=big
step "both charts render the same bytes twice, and refuse wrong values"
