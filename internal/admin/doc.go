// Package admin is the HTTP server of a running feed.
//
//	/healthz   200 as long as the process works, also while brokers are down
//	/readyz    200 when every route is ready; else 503 and which is not, and why
//	/metrics   for Prometheus
//	/status    the feed.Status and its plugins as JSON; "feed status" reads it
//
// An address that other machines can reach serves the first two only, unless
// the configuration exposes more: there is no authentication.
package admin
