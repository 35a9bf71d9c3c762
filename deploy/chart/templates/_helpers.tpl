{{/* What every name begins with: the release's, with "carrel" in it. */}}
{{- define "carrel.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" (.Release.Name | trunc 33 | trimSuffix "-") .Chart.Name -}}
{{- end -}}
{{- end -}}

{{/* Labels that choose a component's pods: (list $ "api"). They never change. */}}
{{- define "carrel.selector" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of every object: (list $ "api"). */}}
{{- define "carrel.labels" -}}
{{- $root := index . 0 -}}
{{ include "carrel.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* What PodSecurity "restricted" asks of a pod, and a user of its own. */}}
{{- define "carrel.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* What it asks of a container, and a root that nobody writes to. */}}
{{- define "carrel.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* What all pods of the release have in common: (list $ "api" automount grace). */}}
{{- define "carrel.pod" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- if eq $component "migrate" }}
{{- /* A hook runs before the release's own service accounts are there. */}}
serviceAccountName: default
{{- else }}
serviceAccountName: {{ include "carrel.fullname" $root }}-{{ $component }}
{{- end }}
automountServiceAccountToken: {{ index . 2 }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ index . 3 }}
securityContext:
  {{- include "carrel.podSecurity" $root | nindent 2 }}
{{- with $root.Values.pods.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.pods.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $root.Values.pods.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with $root.Values.pods.hostAliases }}
hostAliases: {{ toJson . }}
{{- end }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Replicas on different nodes and zones, as far as there are such. */}}
{{- define "carrel.spread" -}}
topologySpreadConstraints:
  {{- $context := . }}
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "carrel.selector" $context | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end -}}

{{/* Alive means that the process answers; ready, that it can do its work. Both on the admin port. */}}
{{- define "carrel.probes" -}}
# A start that lasts: the process may wait for a slow node, not for the database.
startupProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 1
  timeoutSeconds: 3
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  timeoutSeconds: 4
  failureThreshold: 3
{{- end -}}

{{/* The database's address, by reference: (list $ connections). */}}
{{- define "carrel.databaseEnv" -}}
{{- $root := index . 0 -}}
- name: CARREL_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ required "database.existingSecret is needed: the Secret that holds the database's address (kubectl create secret generic carrel-database --from-literal=url=postgres://…)" $root.Values.database.existingSecret }}
      key: {{ $root.Values.database.key }}
{{- with $root.Values.database.directKey }}
- name: CARREL_DIRECT_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ $root.Values.database.existingSecret }}
      key: {{ . }}
{{- end }}
- name: CARREL_DATABASE_CONNECTIONS
  value: {{ index . 1 | quote }}
{{- end -}}

{{- define "carrel.logEnv" -}}
- name: CARREL_LOG
  value: {{ .Values.pods.log | quote }}
- name: CARREL_LOG_FORMAT
  value: json
{{- end -}}

{{/* How logins are verified: the platform's public keys, from a Secret or an address, or a shared secret for development. */}}
{{- define "carrel.tokenEnv" -}}
{{- $tokens := .Values.tokens -}}
{{- $development := $tokens.developmentSecret.existingSecret -}}
{{- $fetched := $tokens.jwksUrl -}}
{{- if or (and $tokens.existingSecret $development) (and $fetched $development) -}}
{{- fail "tokens.developmentSecret.existingSecret and tokens.existingSecret or tokens.jwksUrl are both set: nobody may sign with a shared secret where the platform's keys are in force; unset one" -}}
{{- end -}}
{{- if and $tokens.existingSecret $fetched -}}
{{- fail "tokens.existingSecret and tokens.jwksUrl are both set: keys come from one place; unset one" -}}
{{- end -}}
{{- if and (($tokens.jwksCa).existingConfigMap) (not $fetched) -}}
{{- fail "tokens.jwksCa.existingConfigMap is set without tokens.jwksUrl: nothing is fetched; unset it" -}}
{{- end -}}
{{- if not (or $tokens.existingSecret $fetched $development) -}}
{{- fail "tokens.existingSecret is needed: the Secret with the exam platform's public keys (or tokens.jwksUrl, the address of its JWKS document, or tokens.developmentSecret.existingSecret for a trial)" -}}
{{- end -}}
{{- if $tokens.existingSecret -}}
- name: CARREL_TOKEN_KEYS
  value: /etc/carrel/tokens/{{ $tokens.key }}
{{- else if $fetched -}}
- name: CARREL_TOKEN_JWKS_URL
  value: {{ $fetched | quote }}
- name: CARREL_TOKEN_JWKS_REFRESH_SECONDS
  value: {{ $tokens.jwksRefreshSeconds | default 300 | quote }}
{{- with (($tokens.jwksCa).existingConfigMap) }}
- name: CARREL_TOKEN_JWKS_CA_FILE
  value: /etc/carrel/tokens/{{ $tokens.jwksCa.key | default "ca.crt" }}
{{- end }}
{{- else -}}
- name: CARREL_TOKEN_HS256_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ $development }}
      key: {{ $tokens.developmentSecret.key }}
{{- end }}
- name: CARREL_TOKEN_ISSUER
  value: {{ $tokens.issuer | quote }}
- name: CARREL_TOKEN_AUDIENCE
  value: {{ $tokens.audience | quote }}
{{- end -}}

{{/* Where public keys are, for whoever looks whether they can be used. Not the shared secret: who has it can sign. */}}
{{- define "carrel.publicTokenEnv" -}}
{{- if not .Values.tokens.developmentSecret.existingSecret }}
{{- include "carrel.tokenEnv" . }}
{{- end }}
{{- end -}}

{{/* Whose pages may ask. */}}
{{- define "carrel.originsEnv" -}}
- name: CARREL_PAGE_ORIGINS
  value: {{ prepend .Values.public.moreOrigins (required "public.pageUrl is needed: what browsers call the page, such as https://exam.example" .Values.public.pageUrl) | join "," | quote }}
{{- end -}}

{{- define "carrel.tokenMount" -}}
{{- if or .Values.tokens.existingSecret ((.Values.tokens.jwksCa).existingConfigMap) }}
- name: tokens
  mountPath: /etc/carrel/tokens
  readOnly: true
{{- end }}
{{- end -}}

{{- define "carrel.tokenVolume" -}}
{{- with .Values.tokens.existingSecret }}
- name: tokens
  secret:
    secretName: {{ . }}
    items:
      - {key: {{ $.Values.tokens.key }}, path: {{ $.Values.tokens.key }}}
{{- end }}
{{- with ((.Values.tokens.jwksCa).existingConfigMap) }}
{{- $key := $.Values.tokens.jwksCa.key | default "ca.crt" }}
- name: tokens
  configMap:
    name: {{ . }}
    items:
      - {key: {{ $key }}, path: {{ $key }}}
{{- end }}
{{- end -}}

{{/* How long records are kept, for whoever removes them and whoever says what would be. */}}
{{- define "carrel.retentionEnv" -}}
{{- $retention := .Values.worker.retention | default dict -}}
- name: CARREL_ACCESS_LOG_DAYS
  value: {{ $retention.accessLogDays | default 400 | quote }}
- name: CARREL_IDEMPOTENCY_KEY_DAYS
  value: {{ $retention.idempotencyKeyDays | default 7 | quote }}
{{- /* 0 is for ever, and no default. */}}
- name: CARREL_RECORDING_DAYS
  value: {{ hasKey $retention "recordingDays" | ternary $retention.recordingDays 400 | quote }}
- name: CARREL_PSEUDONYMISE_DAYS
  value: {{ (.Values.worker.pseudonyms | default dict).days | default 0 | quote }}
{{- end -}}

{{/* What pseudonyms are made with, for the worker alone: whoever has it could try user ids. */}}
{{- define "carrel.pseudonymEnv" -}}
{{- $pseudonyms := .Values.worker.pseudonyms | default dict -}}
{{- if $pseudonyms.days -}}
- name: CARREL_PSEUDONYM_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ required "worker.pseudonyms.existingSecret is needed with worker.pseudonyms.days: the Secret that holds what pseudonyms are made with (kubectl create secret generic carrel-pseudonyms --from-literal=secret=…)" $pseudonyms.existingSecret }}
      key: {{ $pseudonyms.key | default "secret" }}
{{- end }}
{{- end -}}

{{/* Where environments run, for whoever talks to the cluster. */}}
{{- define "carrel.runtimeEnv" -}}
- name: CARREL_RUNTIME
  value: kubernetes
- name: CARREL_KUBE_NAMESPACE
  value: {{ .Values.exams.namespace }}
- name: CARREL_KEEPER_IMAGE
  value: {{ .Values.image.keeper }}
{{- with .Values.exams.nodePids }}
- name: CARREL_NODE_PIDS
  value: {{ . | int | quote }}
{{- end }}
{{- with include "carrel.probesOfIsolation" . }}
- name: CARREL_ISOLATION_PROBES
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Addresses that no environment may reach: the stated ones, and each single address among those
     that our own processes are allowed to reach. */}}
{{- define "carrel.probesOfIsolation" -}}
{{- $probes := .Values.exams.isolationProbes -}}
{{- range $target := list .Values.networkPolicy.database .Values.networkPolicy.kubernetesApi -}}
{{- range $target.cidrs -}}
{{- if hasSuffix "/32" . -}}
{{- $probes = append $probes (printf "%s:%v" (trimSuffix "/32" .) $target.port) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $probes | uniq | join "," -}}
{{- end -}}

{{- define "carrel.image" -}}
image: {{ .Values.image.carrel }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- include "carrel.containerSecurity" . | nindent 2 }}
{{- end -}}

{{- define "carrel.annotations" -}}
{{- with .Values.pods.annotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}
