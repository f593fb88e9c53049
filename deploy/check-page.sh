#!/usr/bin/env bash
# Whether a binary serves the very page that ui/dist holds: nothing is packaged without it.
#
#   check-page.sh BINARY
set -euo pipefail
binary=$1 dist=$(dirname "$0")/../ui/dist
if ! [ -f "$dist/index.html" ]; then
  echo "ui/dist has no page: run \`make build\` where Node.js is, then package the binary" >&2
  exit 1
fi
folder=$(mktemp -d)
trap 'kill "$bridge" 2>/dev/null || true; rm -rf "$folder"' EXIT
cat >"$folder/bridge.yaml" <<SETTINGS
listen: 127.0.0.1:0
rest: 127.0.0.1:0
admin: 127.0.0.1:0
data: $folder/data
SETTINGS
exec 3< <(exec "$binary" bridge --log warn --config "$folder/bridge.yaml")
bridge=$! address=
while read -r -t 60 -u 3 word value; do
  case $word in rest) address=$value ;; ready) break ;; esac
done
if [ -z "$address" ]; then
  echo "$binary does not run as a bridge" >&2
  exit 1
fi
scripts=$(grep -o 'src="[^"]*\.js"' "$dist/index.html" | cut -d '"' -f 2)
served=$(curl -fsS --max-time 10 "http://$address/") || true
for script in ${scripts:?ui/dist/index.html names no script}; do
  if ! [[ $served == *"$script"* ]] ||
    ! curl -fsS --max-time 10 "http://$address/${script#./}" | cmp -s - "$dist/$script"; then
    echo "$binary does not serve $script of ui/dist: build it again, \`make build\`" >&2
    exit 1
  fi
done
