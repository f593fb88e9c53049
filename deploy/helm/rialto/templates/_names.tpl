{{- define "rialto.labels" -}}
app.kubernetes.io/name: rialto
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: rialto
{{- end }}

{{- /* Labels that select the pods of one part: (dict "root" $ "part" "agent") */ -}}
{{- define "rialto.selector" -}}
app.kubernetes.io/name: rialto
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "rialto.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* Pod Security `restricted` */ -}}
{{- define "rialto.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "rialto.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* Ready means that it serves; alive, that it answers at all. */ -}}
{{- define "rialto.probes" -}}
# A part answers only when it has its identity: an agent waits for the Lease and the bridge, the
# others for the agent.
startupProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 1
  failureThreshold: 600
livenessProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
{{- end }}

{{- /* How a gateway or DNS proxy finds the agent and proves itself. */ -}}
{{- define "rialto.introduction" -}}
cluster: {{ .Values.cluster | quote }}
address: {{ .Release.Name }}-agent.{{ .Release.Namespace }}.svc:9905
anchor: {{ .Values.anchor | quote }}
tokenFile: /var/run/rialto/token
{{- end }}

{{- define "rialto.tokenVolume" -}}
name: token
projected:
  sources:
  - serviceAccountToken: {path: token, audience: rialto, expirationSeconds: 3600}
{{- end }}
