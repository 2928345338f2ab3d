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
{{- if has .Values.guardd.podOrders (list "dry-run" "act") -}}
{{- fail "guardd.podOrders: over PostgreSQL the guardd that gives orders changes, and a responder reads those of one: without guardd.store.secret, or off" -}}
{{- end -}}
{{- end -}}
{{- end -}}
