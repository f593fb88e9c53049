{{- define "rialto-bridge.selector" -}}
app.kubernetes.io/name: rialto-bridge
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rialto-bridge.labels" -}}
{{ include "rialto-bridge.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: rialto
{{- end }}

{{- define "rialto-bridge.config" -}}
id: bridge-1
listen: 0.0.0.0:7600
advertise: {{ .Values.advertise | quote }}
# Plain HTTP inside the pod alone: `kubectl port-forward` leads there, for whom the cluster lets.
rest: 127.0.0.1:7601
admin: 0.0.0.0:7602
data: /var/lib/rialto/bridge
{{- end }}
