{{- define "rialto.dnsConfig" -}}
dataFolder: /var/lib/rialto
agent:
  {{- include "rialto.introduction" . | nindent 2 }}
listen: [0.0.0.0:5353]
upstreams: []
clients: {{ .Values.dns.clients | toJson }}
admin: 0.0.0.0:9904
{{- end }}
