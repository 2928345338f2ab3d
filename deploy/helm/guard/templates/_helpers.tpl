{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- define "guard.image" -}}
{{- if .Values.image.digest -}}
{{ printf "%s@%s" .Values.image.repository .Values.image.digest | toJson }}
{{- else -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | toJson }}
{{- end -}}
{{- end -}}
{{- /* What no schema can say in words that help. */ -}}
{{- define "guard.check" -}}
{{- if gt (int .Values.guardd.replicas) 1 -}}
{{- if not .Values.guardd.store.secret -}}
{{- fail "guardd.replicas: more than one needs guardd.store.secret: one PostgreSQL that all of them have" -}}
{{- end -}}
{{- if not .Values.guardd.signingKey.secret -}}
{{- fail "guardd.replicas: more than one needs guardd.signingKey.secret: they sign policies with one key" -}}
{{- end -}}
{{- end -}}
{{- if .Values.guardd.store.secret -}}
{{- if .Values.podwatch.enabled -}}
{{- fail "podwatch.enabled: a guardd on PostgreSQL takes no records of pods (it answers 409): without guardd.store.secret, or off" -}}
{{- end -}}
{{- if has .Values.guardd.podOrders (list "dry-run" "act") -}}
{{- fail "guardd.podOrders: a guardd on PostgreSQL takes no records of pods, so it never orders anything: without guardd.store.secret, or off" -}}
{{- end -}}
{{- end -}}
{{- end -}}
