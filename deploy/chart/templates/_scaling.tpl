{{/* Never fewer replicas than asked for: a terminal that leaves needs another that is ready. */}}
{{- define "carrel.rollout" -}}
type: RollingUpdate
rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
{{- end -}}

{{/* Takes new callers away before the process is told to stop: a Service learns of it meanwhile. */}}
{{- define "carrel.leave" -}}
lifecycle:
  preStop:
    sleep: {seconds: 5}
{{- end -}}

{{/* Evictions one at a time: (list $ "api"). */}}
{{- define "carrel.budget" -}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "carrel.fullname" (index . 0) }}-{{ index . 1 }}
  labels:
    {{- include "carrel.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "carrel.selector" . | nindent 6 }}
{{- end -}}

{{/* By processor time: (list $ "api" autoscaling). */}}
{{- define "carrel.cpuScaler" -}}
{{- $scaling := index . 2 -}}
{{- if $scaling.max -}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "carrel.fullname" (index . 0) }}-{{ index . 1 }}
  labels:
    {{- include "carrel.labels" (list (index . 0) (index . 1)) | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "carrel.fullname" (index . 0) }}-{{ index . 1 }}
  minReplicas: {{ $scaling.min | default 2 }}
  maxReplicas: {{ $scaling.max }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ $scaling.cpuPercent | default 70 }}}
  {{- include "carrel.scaleDown" . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* Growing at once, shrinking slowly: each replica that goes moves its terminals. */}}
{{- define "carrel.scaleDown" -}}
behavior:
  scaleDown:
    stabilizationWindowSeconds: 600
    policies: [{type: Pods, value: 1, periodSeconds: 60}]
{{- end -}}
