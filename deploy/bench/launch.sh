#!/usr/bin/env bash
# Starts one gateway of a measured pair from files alone, by the contract of the benchmark kit:
# FB_ROLE (gwa, gwb), FB_LISTEN, FB_UPSTREAM, FB_CERTS, FB_WORK, FB_VARIANT (tcp, http).
# The kit's certificates are of a form that our gateways refuse (no `/rialto/gateway/ID`), so a pair
# of issuers is made beside them; both roles take their identities from there.
set -euo pipefail

rialto="${RIALTO_BIN:?names the release binary, target/release/rialto}"
variant="${FB_VARIANT:-tcp}"
[ "$variant" = default ] && variant=tcp
# The near gateway's port is the service's; the far one cannot know it otherwise.
port="${RIALTO_BENCH_PORT:-19080}"
pair="$FB_CERTS/rialto-$variant"
mkdir -p "$pair" "$FB_WORK"

case "$FB_ROLE" in
  gwa) side=near tunnel="${FB_UPSTREAM%:*}" capture=bind admin=127.0.0.1:9903 ;;
  gwb) side=far tunnel="$FB_LISTEN" capture=off admin=127.0.0.1:9913 ;;
  *) echo "role $FB_ROLE: only pairs of gateways are measured (gwa, gwb)" >&2; exit 2 ;;
esac
# The near gateway dials from an address of its own network, and nobody dials it.
[ "$side" = near ] && tunnel="$(ip -o route get "$tunnel" | sed -n 's/.* src \([^ ]*\).*/\1/p'):0"

# Identities live a day; a pair that is older than half of it is made anew.
find "$pair" -name identity.pem -mmin +360 -exec rm -f {} +
flock "$pair" "$rialto" generate bench-state --folder "$pair" --side "$side" \
  --listen "$FB_LISTEN" --upstream "$FB_UPSTREAM" --protocol "$variant" --port "$port"

cat > "$FB_WORK/gateway.yaml" <<YAML
id: one
dataFolder: $pair/$side
agentSocket: $FB_WORK/agent.sock
tunnel:
  listen: $tunnel
capture: $capture
admin: $admin
accessLog: off
YAML
exec "$rialto" gateway --config "$FB_WORK/gateway.yaml" --log warn
