{{/*
What the policies share. Each policy answers one question in a variable `refusal`: empty when the
request is permitted, else the sentence that the person is told. The exemption for break-glass is in
the validation and not in a matchCondition, because a request that does not match leaves no audit
annotation.
*/}}

{{/* Who is asking: the operator, a keeper of the house, somebody who breaks the glass. */}}
{{- define "iro.policy.who" -}}
- name: operator
  expression: >-
    request.userInfo.username == 'system:serviceaccount:{{ .Release.Namespace }}:{{ .Values.serviceAccount.name }}'
    {{- if .Values.enforcement.requirePodBoundToken }}
    && 'authentication.kubernetes.io/pod-name' in request.userInfo.?extra.orValue({})
    {{- end }}
# Without these two nothing is ever cleaned up and a namespace hangs in Terminating.
- name: housekeeping
  expression: >-
    request.operation != 'CREATE' && request.userInfo.username in
    {{ include "iro.policy.controllers" (list "generic-garbage-collector" "namespace-controller") }}
{{- end }}

{{/*
User names of Kubernetes' own controllers. A controller manager that runs all of them under one
identity is taken as well. Never the whole group of kube-system: anything may run there.
*/}}
{{- define "iro.policy.controllers" -}}
['system:kube-controller-manager'
{{- range . }}, 'system:serviceaccount:kube-system:{{ . }}'{{ end }}]
{{- end }}

{{/* The end of every policy: refuse with the sentence, or let break-glass pass and write it down. */}}
{{- define "iro.policy.verdict" -}}
- name: breakGlass
  expression: "'{{ .Values.breakGlass.group }}' in request.userInfo.?groups.orValue([])"
validations:
- expression: variables.refusal == '' || variables.breakGlass
  messageExpression: variables.refusal
  reason: Forbidden
auditAnnotations:
- key: break-glass
  valueExpression: >-
    variables.breakGlass && variables.refusal != ''
    ? request.userInfo.username + ' broke the glass. Otherwise refused: ' + variables.refusal
    : ''
{{- end }}

{{/* Puts a policy into force in namespaces of the given modes; without modes everywhere. */}}
{{- define "iro.policy.binding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .policy }}
  labels: {{- include "iro.labels" .root | nindent 4 }}
spec:
  policyName: {{ .policy }}
  validationActions: [Deny, Audit]
  {{- with .modes }}
  matchResources:
    namespaceSelector:
      matchExpressions:
      - {key: immutablerelease.io/enforce, operator: In, values: [{{ join ", " . }}]}
  {{- end }}
{{- end }}

{{/* Matches what carries the label of a release, before or after the request. */}}
{{- define "iro.policy.labelled" -}}
objectSelector:
  matchExpressions:
  - {key: immutablerelease.io/release, operator: Exists}
{{- end }}

{{/* Matches Pods of a release, those of its jobs among them, and what makes them. */}}
{{- define "iro.policy.ofRelease" -}}
matchConditions:
- name: of-a-release
  expression: >-
    [object, oldObject].exists(o, o != null
      && ['immutablerelease.io/release', 'immutablerelease.io/job'].exists(label,
        label in o.metadata.?labels.orValue({})))
{{- end }}

{{/* Matches workloads that carry the label of a release, or would make Pods that carry one. */}}
{{- define "iro.policy.makesPods" -}}
matchConditions:
- name: of-a-release
  expression: >-
    [object, oldObject].exists(o, o != null && (
      'immutablerelease.io/release' in o.metadata.?labels.orValue({}) ||
      ['immutablerelease.io/release', 'immutablerelease.io/job'].exists(label,
        label in o.spec.template.?metadata.?labels.orValue({}))))
{{- end }}
