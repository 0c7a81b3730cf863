{{/* Labels of everything that the chart makes. */}}
{{- define "iro.labels" -}}
app.kubernetes.io/name: immutable-release-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Labels by which the Deployment and the Service find the operator's Pod. */}}
{{- define "iro.selector" -}}
app.kubernetes.io/name: immutable-release-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "iro.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "iro.subjects" -}}
- kind: ServiceAccount
  name: {{ .Values.serviceAccount.name }}
  namespace: {{ .Release.Namespace }}
{{- end }}
