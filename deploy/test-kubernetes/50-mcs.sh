# The Multi-Cluster Services API, each check a sentence of the specification.
# shellcheck shell=bash disable=SC2154

MCS=multicluster.x-k8s.io

# Two pods that answer TEXT, and a Service with a port of the number twice, for TCP and for UDP.
mcs_backend() {
  local config=$1 text=$2 port_name=$3 number=$4
  k "$config" apply -f - <<X >/dev/null
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: mcs}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: busybox:1
        imagePullPolicy: IfNotPresent
        command: [sh, -c, 'mkdir /tmp/www && echo "$text" > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www']
        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: mcs}
spec:
  selector: {app: web}
  sessionAffinity: ClientIP
  sessionAffinityConfig: {clientIP: {timeoutSeconds: 10}}
  ports:
  - {name: $port_name, port: $number, targetPort: 8080, appProtocol: http}
  - {name: quic, port: 80, targetPort: 8080, protocol: UDP}
X
  k "$config" --namespace mcs rollout status deployment/web --timeout 60s >/dev/null
}

# mcs_export CLUSTER [SERVICE [VERSION [TEAM]]]
mcs_export() {
  k "$1" apply -f - <<X >/dev/null
apiVersion: $MCS/${3:-v1beta1}
kind: ServiceExport
metadata: {name: ${2:-web}, namespace: mcs, labels: {not: exported}}
spec: {exportedLabels: {team: ${4:-a}}, exportedAnnotations: {note: "a note"}}
X
}
mcs_unexport() { k "$1" --namespace mcs delete "serviceexports.$MCS" "${2:-web}" >/dev/null; }

# Of one object, a JSONPath of it; the object is `web` unless a third argument says otherwise.
mcs_get() { k "$1" --namespace mcs get "$2" -o "jsonpath=$3"; }
mcs_import() { mcs_get "$1" "serviceimports.$MCS/${3:-web}" "$2"; }
mcs_condition() {
  local condition="{.status.conditions[?(@.type==\"$2\")]"
  mcs_get "$1" "serviceexports.$MCS/${3:-web}" "$condition.status} $condition.reason}"
}
mcs_slices() {
  k "$1" --namespace mcs get endpointslices \
    --selector "multicluster.kubernetes.io/service-name=${3:-web}" -o "jsonpath=$2"
}
mcs_source='{.metadata.labels.multicluster\.kubernetes\.io/source-cluster}'
mcs_slices_by_cluster() {
  mcs_slices "$1" "{range .items[*]}$mcs_source {.ports[?(@.protocol==\"TCP\")].port}{\"\\n\"}{end}" |
    sort | tr '\n' ';'
}
mcs_no_slices() { [ -n "$(mcs_slices "$1" '{.items[*].metadata.name}')" ] || echo none; }
mcs_absent() { { k "$1" --namespace mcs get "$2" 2>&1 || true; } | grep -o NotFound; }

# mcs_both TEXT COMMAND…: both clusters come to say TEXT; they are the command's first argument.
mcs_both() {
  local text=$1 command=$2 config; shift 2
  for config in "$EAST" "$WEST"; do until_has "$text" "$command" "$config" "$@"; done
}

# until_same TEXT COMMAND…: waits at most 90 s until the output is exactly that.
until_same() {
  local text=$1 output=; shift
  for _ in $(seq 180); do
    output=$("$@" 2>&1) || true
    [ "$output" != "$text" ] || return 0
    sleep 0.5
  done
  echo "waited in vain for exactly \"$text\" of: $*" >&2; echo "$output" >&2; return 1
}

mcs_call() {
  k "$1" --namespace mcs exec client -- \
    sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 web.mcs.svc.clusterset.local ${2:-80}" | tail -1
}
# mcs_only TEXT CLUSTER: of 20 calls nobody answers another way. Some may fail, where gateways stood
# still for a second.
mcs_only() {
  local answers others
  answers=$(for _ in $(seq 20); do mcs_call "$2" || echo refused; done | sort | uniq -c)
  others=$(grep -F "hello from" <<<"$answers" | grep -cvF -- "$1" || true)
  [ "$others" = 0 ] && [ "$(awk -v text="$1" 'index($0, text) {print $1}' <<<"$answers")" -ge 15 ] ||
    { echo "not only \"$1\": $answers" >&2; return 1; }
}
mcs_lookup() { k "$1" --namespace mcs exec client -- nslookup -type="${3:-a}" "$2" 2>&1 || true; }
# Its addresses, sorted, in one line.
mcs_addresses() {
  mcs_lookup "$1" "$2" | awk '/^Name:/ { named = 1 } named && /^Address/ { print $NF }' | xargs -n1 | sort | xargs
}

check_mcs() {
  local config
  for config in "$EAST" "$WEST"; do
    k "$config" create namespace mcs >/dev/null
    sed 's/namespace: shop/namespace: mcs/' deploy/examples/kubernetes/client.yaml |
      k "$config" apply -f - >/dev/null
  done
  for config in "$EAST" "$WEST"; do
    k "$config" --namespace mcs wait --for condition=Ready pod/client --timeout 60s >/dev/null
  done
  check_mcs_import
  check_mcs_conflicts
  check_mcs_refusals
  check_mcs_headless
  check_mcs_others
  for config in "$EAST" "$WEST"; do
    k "$config" delete namespace mcs --wait=false >/dev/null
  done
}

check_mcs_import() {
  local config
  mcs_backend "$WEST" "hello from west" http 80
  mcs_backend "$EAST" "hello from east" http 80
  for config in "$EAST" "$WEST"; do mcs_absent "$config" "serviceimports.$MCS/web" >/dev/null; done
  step "what is not exported has no import"

  mcs_export "$WEST" web v1alpha1
  local ports='{range .spec.ports[*]}{.name},{.protocol},{.port};{end}'
  local affinity='{.spec.sessionAffinity} {.spec.sessionAffinityConfig.clientIP.timeoutSeconds}'
  mcs_both ClusterSetIP mcs_import '{.spec.type}'
  mcs_both 'http,TCP,80;quic,UDP,80;' mcs_import "$ports"
  mcs_both 'ClientIP 10 Cluster' mcs_import "$affinity {.spec.internalTrafficPolicy}"
  mcs_both 'a/a note/.' mcs_import \
    '{.metadata.labels.team}/{.metadata.annotations.note}/{.metadata.labels.not}.'
  mcs_both "IPv4 10." mcs_import '{.spec.ipFamilies[0]} {.spec.ips[0]}'
  mcs_both "[{\"cluster\":\"west\"}]" mcs_import '{.status.clusters}'
  mcs_both Present mcs_import '{.status.endpointSliceObjects}'
  mcs_both 'True Ready' mcs_import '{.status.conditions[0].status} {.status.conditions[0].reason}'
  mcs_both 'quic 80/UDP' mcs_import '{.status.conditions[0].message}'
  step "the import is in both clusters, the exporter included, with what the Service has"

  until_has "True Valid" mcs_condition "$WEST" Valid
  until_has "True Exported" mcs_condition "$WEST" Ready
  until_has "False NoConflicts" mcs_condition "$WEST" Conflict
  step "the export is Valid, Ready and without Conflict"

  local keeper='{.metadata.labels.endpointslice\.kubernetes\.io/managed-by}'
  local proxied='{.metadata.labels.kubernetes\.io/service-name}'
  mcs_both "west rialto-agent . 80;" mcs_slices \
    "{range .items[*]}$mcs_source $keeper $proxied. {.ports[*].port};{end}"
  step "each source cluster has an EndpointSlice, which belongs to no Service"

  for config in "$EAST" "$WEST"; do
    until_has "hello from west" mcs_call "$config"
    mcs_only "hello from west" "$config"
  done
  step "endpoints of a cluster that did not export it are not reached, not even by its own pods"
}

check_mcs_conflicts() {
    local ports='{range .spec.ports[*]}{.name},{.protocol},{.port};{end}'
  # The younger export has another number for the same port's name.
  mcs_backend "$EAST" "hello from east" http 81
  mcs_export "$EAST" web v1beta1 b
  mcs_both "True PortConflict,LabelsConflict" mcs_condition Conflict
  mcs_both 'http,TCP,80;quic,UDP,80;' mcs_import "$ports"
  mcs_both 'a' mcs_import '{.metadata.labels.team}'
  mcs_both "[{\"cluster\":\"east\"},{\"cluster\":\"west\"}]" mcs_import '{.status.clusters}'
  mcs_only "hello from west" "$EAST"
  step "of two exports the older one counts, Conflict is told on both, who lost gets no traffic"

  k "$EAST" --namespace mcs patch service web --type json --patch '[
    {"op": "replace", "path": "/spec/ports/0/name", "value": "more"},
    {"op": "replace", "path": "/spec/ports/0/port", "value": 82}]' >/dev/null
  mcs_both 'http,TCP,80;quic,UDP,80;more,TCP,82;' mcs_import "$ports"
  mcs_both "True PortConflict" mcs_condition Conflict
  mcs_both "east 82;west 80;" mcs_slices_by_cluster
  until_has "hello from east" mcs_call "$WEST" 82
  mcs_only "hello from west" "$EAST"
  step "ports are united, a port leads only to the clusters that have it, and Conflict says so"

  mcs_unexport "$WEST"
  mcs_both b mcs_import '{.metadata.labels.team}'
  until_has "False NoConflicts" mcs_condition "$EAST" Conflict
  until_has "hello from east" mcs_call "$WEST" 82
  step "with the older export gone the other one counts, and its conflict ends"

  local began_at=$SECONDS
  mcs_unexport "$EAST"
  mcs_both NotFound mcs_absent "serviceimports.$MCS/web"
  mcs_both none mcs_no_slices
  [ $((SECONDS - began_at)) -le 20 ]
  step "within 20 s of the last unexport the imports and their slices are gone"
}

check_mcs_refusals() {
  k "$WEST" --namespace mcs create service externalname outside --external-name example.com >/dev/null
  mcs_export "$WEST" outside
  mcs_export "$WEST" missing
  until_has "False InvalidServiceType" mcs_condition "$WEST" Valid outside
  until_has "False NoService" mcs_condition "$WEST" Valid missing
  mcs_both NotFound mcs_absent "serviceimports.$MCS/outside"
  step "an ExternalName, and an export without a Service, are not Valid and have no import"
}

# mcs_stateful CLUSTER COUNT: pods with host names, and a headless Service.
mcs_stateful() {
  k "$1" apply -f - <<X >/dev/null
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: mcs}
spec:
  serviceName: db
  replicas: $2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: db
        image: busybox:1
        imagePullPolicy: IfNotPresent
        command: [sh, -c, 'mkdir /tmp/www && hostname > /tmp/www/index.html && exec httpd -f -p 15432 -h /tmp/www']
        readinessProbe: {tcpSocket: {port: 15432}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: mcs}
spec:
  clusterIP: None
  selector: {app: db}
  ports:
  - {name: sql, port: 5432, targetPort: 15432}
X
  k "$1" --namespace mcs rollout status statefulset/db --timeout 60s >/dev/null
}
mcs_pods() {
  k "$1" --namespace mcs get pods --selector app=db -o 'jsonpath={.items[*].status.podIP}'
}

check_mcs_headless() {
  local name=db.mcs.svc.clusterset.local
  local config pods first
  mcs_stateful "$WEST" 2
  mcs_export "$WEST" db
  mcs_both Headless mcs_import '{.spec.type}' db
  mcs_both "IPv4/." mcs_import '{.spec.ipFamilies[0]}/{.spec.ips}.' db
  pods=$(mcs_pods "$WEST" | xargs -n1 | sort | xargs)
  for config in "$EAST" "$WEST"; do until_same "$pods" mcs_addresses "$config" "$name"; done
  first=$(mcs_get "$WEST" pod/db-0 '{.status.podIP}')
  for config in "$EAST" "$WEST"; do
    until_same "$first" mcs_addresses "$config" "db-0.west.$name"
    until_has "db-0 $first" mcs_slices "$config" \
      '{range .items[*].endpoints[*]}{.hostname} {.addresses[0]}{"\n"}{end}' db
    until_same 15432 mcs_slices "$config" '{.items[*].ports[*].port}' db
  done
  until_has NXDOMAIN mcs_lookup "$EAST" "db-0.east.$name"
  until_has " 15432 db-1.west.$name" mcs_lookup "$EAST" "_sql._tcp.$name" srv
  step "a headless name is its ready pods, all and only, and each host name one of them"

  k "$WEST" --namespace mcs scale statefulset/db --replicas 1 >/dev/null
  for config in "$EAST" "$WEST"; do until_same "$first" mcs_addresses "$config" "$name"; done
  mcs_stateful "$EAST" 1
  until_same "$first" mcs_addresses "$EAST" "$name"
  step "pods of a cluster that did not export it are not in the name, not even there"

  mcs_export "$EAST" db
  pods=$(echo "$first $(mcs_pods "$EAST")" | xargs -n1 | sort | xargs)
  for config in "$EAST" "$WEST"; do
    until_same "$pods" mcs_addresses "$config" "$name"
    until_same "$(mcs_pods "$EAST")" mcs_addresses "$config" "db-0.east.$name"
    until_same "$first" mcs_addresses "$config" "db-0.west.$name"
  done
  step "the pods of two clusters are one name, and a host name with its cluster is one pod"

  mcs_unexport "$EAST" db
  mcs_unexport "$WEST" db
  mcs_both NotFound mcs_absent "serviceimports.$MCS/db"
  until_has NXDOMAIN mcs_lookup "$EAST" "$name"
  step "after the unexport the headless name is gone"
}

mcs_events() { k "$1" --namespace mcs get events -o 'jsonpath={.items[*].message}'; }
mcs_versions() {
  local versions='jsonpath={.items[*].metadata.resourceVersion}'
  k "$1" get "serviceimports.$MCS,serviceexports.$MCS" --all-namespaces -o "$versions"
  k "$1" get endpointslices --all-namespaces -o "$versions" \
    --selector endpointslice.kubernetes.io/managed-by=rialto-agent
}

check_mcs_others() {
  local before
  mcs_export "$WEST"
  mcs_both ClusterSetIP mcs_import '{.spec.type}'
  mcs_both "west 80;" mcs_slices_by_cluster
  k "$EAST" --namespace mcs patch "serviceimports.$MCS" web --type merge \
    --patch '{"spec": {"sessionAffinity": "None"}}' >/dev/null
  k "$EAST" --namespace mcs delete endpointslices \
    --selector multicluster.kubernetes.io/service-name=web >/dev/null
  until_has ClientIP mcs_import "$EAST" '{.spec.sessionAffinity}'
  mcs_both "west 80;" mcs_slices_by_cluster
  step "what somebody changed or deleted of ours comes back"

  until_has "True Exported" mcs_condition "$WEST" Ready
  # Longer than until everything is looked at again.
  sleep 3; before=$(mcs_versions "$EAST"); sleep 35
  [ "$before" = "$(mcs_versions "$EAST")" ]
  step "what stands as it shall is not written again"

  k "$EAST" --namespace mcs create -f - <<X >/dev/null
apiVersion: $MCS/v1beta1
kind: ServiceImport
metadata: {name: theirs, namespace: mcs}
spec: {type: ClusterSetIP, ports: [{port: 80, protocol: TCP}], ips: [10.9.9.9]}
X
  k "$WEST" --namespace mcs create service clusterip later --tcp 80:8080 >/dev/null
  mcs_export "$WEST" later
  until_has ClusterSetIP mcs_import "$WEST" '{.spec.type}' later
  until_has "\`kubectl-create\` makes ServiceImports here, such as mcs/theirs" mcs_events "$EAST"
  mcs_absent "$EAST" "serviceimports.$MCS/later" >/dev/null
  [ "$(mcs_import "$EAST" '{.spec.ips[0]}' theirs)" = 10.9.9.9 ]
  k "$EAST" --namespace mcs delete "serviceimports.$MCS" theirs >/dev/null
  until_has ClusterSetIP mcs_import "$EAST" '{.spec.type}' later
  step "where another controller makes imports none is ours; it is named, its objects stay"
  mcs_unexport "$WEST" later
  mcs_unexport "$WEST"
}

check_mcs
