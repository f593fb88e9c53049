{{- define "rialto.agentConfig" -}}
dataFolder: /var/lib/rialto
registry:
  kubernetes:
    namespace: {{ .Release.Namespace }}
    mode: {{ .Values.mode }}
    {{- if eq .Values.mode "Control" }}
    gatewaySelector:
      {{- include "rialto.selector" (dict "root" $ "part" "gateway") | nindent 6 }}
    {{- end }}
    identitySecret: {{ .Release.Name }}-agent
    lease: {{ .Release.Name }}-agent
    gatewayProbe: {{ .Release.Name }}-gateway.{{ .Release.Namespace }}.svc:9903
    {{- if eq .Values.mode "Control" }}
    clusterRole: {{ .Release.Namespace }}-{{ .Release.Name }}-agent
    {{- end }}
    accounts: {gateway: {{ .Release.Name }}-gateway, dns: {{ .Release.Name }}-dns}
socket: /var/lib/rialto/agent.sock
listen: 0.0.0.0:9905
advertise: {{ .Release.Name }}-agent.{{ .Release.Namespace }}.svc:9905
admin: 0.0.0.0:9902
{{- if or .Values.joinToken .Values.joinTokenSecret }}
tokenFile: /var/run/rialto-join/token
{{- end }}
{{- end }}
