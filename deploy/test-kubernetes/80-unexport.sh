# What nobody exports has no name.
# shellcheck shell=bash

k "$WEST" --namespace shop delete serviceexport hello >/dev/null
is_gone() { hello 2>&1 | grep -q "hello from west" || echo gone; }
until_has "gone" is_gone
step "after the unexport the name leads nowhere"
