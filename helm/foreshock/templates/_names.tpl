{{- define "foreshock.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains "foreshock" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-foreshock" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What a selector may hold: never changes in an upgrade. Call with (dict "root" $ "component" "api"). */}}
{{- define "foreshock.selector" -}}
app.kubernetes.io/name: foreshock
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "foreshock.labels" -}}
{{ include "foreshock.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* "true" where the chart runs the store itself. */}}
{{- define "foreshock.bundled" -}}
{{- if not (or .Values.redis.url .Values.redis.existingSecret) -}}
{{- if not .Values.valkey.enabled -}}
{{- fail "no store: set redis.url or redis.existingSecret, or leave valkey.enabled true" -}}
{{- end -}}
true
{{- end -}}
{{- end -}}

{{- define "foreshock.env" -}}
- name: FORESHOCK_REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.existingSecret | default (include "foreshock.fullname" .) }}
      key: redis-url
{{- if ne .Values.accept "memory" }}
- name: FORESHOCK_ACCEPT
  value: {{ .Values.accept | quote }}
{{- end }}
{{- with .Values.publicUrl }}
- name: FORESHOCK_PUBLIC_URL
  value: {{ . | quote }}
{{- end }}
{{- with .Values.sentiment }}
- name: FORESHOCK_SENTIMENT
  value: {{ . | quote }}
{{- end }}
{{- with .Values.allowHosts }}
- name: FORESHOCK_ALLOW_HOSTS
  value: {{ join "," . | quote }}
{{- end }}
{{- end -}}

{{- define "foreshock.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "foreshock.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "foreshock.placement" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
