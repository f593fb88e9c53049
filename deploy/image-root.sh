#!/usr/bin/env bash
# The content of the image as a folder: the binary, the libraries that it loads, a user, and the
# certificate authorities of this machine.
# Fails if the binary does not have the web page, unless WITHOUT_PAGE is set: for tests.
#
#   image-root.sh BINARY FOLDER
set -euo pipefail
binary=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder"/{usr/bin,etc/ssl/certs,tmp,var/lib/rialto}
install -m 0755 "$binary" "$folder/usr/bin/rialto"
strip --strip-debug "$folder/usr/bin/rialto"
# Lines such as `libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)`, and the loader by its path.
ldd "$binary" | grep -o '/[^ ]*' | while read -r library; do
  install -D -m 0755 "$(readlink -f "$library")" "$folder$library"
done
echo 'rialto:x:65532:65532::/var/lib/rialto:/sbin/nologin' >"$folder/etc/passwd"
echo 'rialto:x:65532:' >"$folder/etc/group"
cp /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/" 2>/dev/null || true
chmod 1777 "$folder/tmp"
[ -n "${WITHOUT_PAGE:-}" ] || "$(dirname "$0")/check-page.sh" "$folder/usr/bin/rialto"
