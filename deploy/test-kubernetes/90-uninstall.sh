# The release goes, and with it every Service that was made.
# shellcheck shell=bash

for config in "$EAST" "$WEST"; do
  KUBECONFIG=$config helm uninstall rialto --namespace rialto --wait >/dev/null
  left() { echo "left: $(k "$config" --namespace rialto get services -o name | wc -l)"; }
  until_has "left: 0" left
done
step "the release is gone, and with it every Service that was made"
