{{- define "rialto.gatewayConfig" -}}
dataFolder: /var/lib/rialto
agent:
  {{- include "rialto.introduction" . | nindent 2 }}
tunnel:
  listen: 0.0.0.0:9443
capture: {{ ternary "ports" "\"off\"" (eq .Values.mode "Control") }}
admin: 0.0.0.0:9903
{{- end }}
