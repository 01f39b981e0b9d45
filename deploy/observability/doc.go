// Package observability checks what deploy/k8s/components/observability ships: that
// alert rules and dashboards ask for metrics that exist, and that each alert fires
// when it should and does not when it should not.
package observability
