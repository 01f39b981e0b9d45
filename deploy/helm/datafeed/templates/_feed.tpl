{{/*
Each of these changes an object, which is a dict, in place, and prints nothing.
*/}}

{{- define "datafeed.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{/* The ConfigMap site: what the site says, and an error for what a process needs and nobody has said. */}}
{{- define "datafeed.site" -}}
{{- $values := .root.Values -}}
{{- $needs := dict "bridge" (list "mqtt-url") "archive" (list "blob-url") "validate" (list "blob-url" "cloud-url") "validator" (list "cloud-url") -}}
{{- range $name, $keys := $needs -}}
{{- range $key := $keys -}}
{{- if and (index $values.components $name).enabled (not (index $values.site $key)) -}}
{{- fail (printf "site.%s is not set, which %s needs: set it, or components.%s.enabled=false" $key $name $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $key, $_ := .object.data -}}
{{- $_ := set $.object.data $key (index $values.site $key) -}}
{{- end -}}
{{- with index $values.site "otlp-endpoint" -}}
{{- $_ := set $.object.data "otlp-endpoint" . -}}
{{- end -}}
{{- end }}

{{- define "datafeed.config" -}}
{{- with .component.config -}}
{{- $_ := set $.object.data "feed.yaml" . -}}
{{- end -}}
{{- end }}

{{- define "datafeed.serviceAccount" -}}
{{- with dig "annotations" dict .component.serviceAccount -}}
{{- $_ := set $.object.metadata "annotations" . -}}
{{- end -}}
{{- with .root.Values.imagePullSecrets -}}
{{- $_ := set $.object "imagePullSecrets" . -}}
{{- end -}}
{{- end }}

{{- define "datafeed.volume" -}}
{{- with .component.storage -}}
{{- $_ := set $.object.spec.resources.requests "storage" . -}}
{{- end -}}
{{- with .root.Values.storageClassName -}}
{{- $_ := set $.object.spec "storageClassName" . -}}
{{- end -}}
{{- with .root.Values.volumeAnnotations -}}
{{- $_ := set $.object.metadata "annotations" . -}}
{{- end -}}
{{- end }}

{{/* What the component otlp patches into the template of a Deployment's pods. */}}
{{- define "datafeed.otlp" -}}
{{- range $part := splitList "\n---\n" (.root.Files.Get "objects/otlp.yaml") -}}
{{- $part = fromYaml $part -}}
{{- if eq $part.kind "Deployment" -}}
{{- $patch := $part.spec.template.spec -}}
{{- $spec := $.template.spec -}}
{{- range $container := $spec.containers -}}
{{- range $key := list "env" "volumeMounts" -}}
{{- $_ := set $container $key (concat (index (index $patch.containers 0) $key) (dig $key list $container)) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $spec "volumes" (concat $patch.volumes $spec.volumes) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The template of a Deployment's or a Job's pods. checksum is of what they read when they start. */}}
{{- define "datafeed.pod" -}}
{{- $values := .root.Values -}}
{{- $component := .component -}}
{{- $metadata := .template.metadata -}}
{{- $spec := .template.spec -}}
{{- $_ := set $metadata "annotations" (merge (dict "checksum/config" .checksum) $component.podAnnotations) -}}
{{- $_ := set $metadata "labels" (merge $metadata.labels $component.podLabels) -}}
{{- with $values.nodeSelector }}{{ $_ := set $spec "nodeSelector" . }}{{ end -}}
{{- with $values.tolerations }}{{ $_ := set $spec "tolerations" . }}{{ end -}}
{{- range $container := $spec.containers -}}
{{- $_ := set $container "image" (include "datafeed.image" $.root) -}}
{{- with concat (dig "env" list $container) $values.env $component.env }}{{ $_ := set $container "env" . }}{{ end -}}
{{- $_ := set $container "volumeMounts" (concat $container.volumeMounts $component.volumeMounts) -}}
{{- with $component.resources }}{{ $_ := set $container "resources" . }}{{ end -}}
{{- end -}}
{{- $_ := set $spec "volumes" (concat $spec.volumes $component.volumes) -}}
{{- range $volume := $spec.volumes -}}
{{- if eq $volume.name "credentials" -}}
{{- with dig "name" "" $component.credentials }}{{ $_ := set $volume.secret "secretName" . }}{{ end -}}
{{- with dig "keys" list $component.credentials -}}
{{- $items := list -}}
{{- range $key := . }}{{ $items = append $items (dict "key" $key "path" $key) }}{{ end -}}
{{- $_ := set $volume.secret "items" $items -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
