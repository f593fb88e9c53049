# A caller stays with one endpoint of another cluster where the Service has `sessionAffinity:
# ClientIP`, and is spread over all where it has not.
# shellcheck shell=bash

served_by() { # how many pods answer twenty calls of one pod
  in_pod "$EAST" client 'for i in $(seq 20); do
    printf "GET / HTTP/1.0\r\n\r\n" | nc -w 5 hello.shop.svc.clusterset.local 80 | tail -1
  done | sort -u | wc -l'
}
affinity() { # VALUE
  k "$WEST" --namespace shop patch service hello --type merge --patch "{\"spec\": {\"sessionAffinity\": \"$1\"}}" >/dev/null
}
until_has "2" served_by
affinity ClientIP
until_has "1" served_by
for _ in 1 2 3; do [ "$(served_by)" = 1 ]; done
affinity None
until_has "2" served_by
step "one pod of two answers a caller while its Service has sessionAffinity, and both otherwise"
