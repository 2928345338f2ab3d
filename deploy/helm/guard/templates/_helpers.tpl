{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- define "guard.image" -}}
{{- if .Values.image.digest -}}
{{ printf "%s@%s" .Values.image.repository .Values.image.digest | toJson }}
{{- else -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | toJson }}
{{- end -}}
{{- end -}}
