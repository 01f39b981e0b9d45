package config

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/net/http/httpguts"

	"github.com/kraft-edge/datafeed/feed"
)

// OTLP says where traces and metrics go by the OpenTelemetry protocol, in
// protobuf over HTTP.
type OTLP struct {
	Endpoint string                 `yaml:"endpoint" doc:"Address of a receiver of OTLP over HTTP, such as https://collector:4318; v1/traces and v1/metrics are added to its path. Empty sends nothing."`
	Headers  map[string]feed.Secret `yaml:"headers" doc:"Further headers of each request, such as authorization, read anew for each."`
	TLS      OTLPTLS                `yaml:"tls" doc:"Certificates for https."`
	Traces   OTLPTraces             `yaml:"traces" doc:"Which messages are followed."`
	Metrics  OTLPMetrics            `yaml:"metrics" doc:"Whether what /metrics shows is sent as well."`
}

// OTLPTLS says whom the feed trusts, and who it is.
type OTLPTLS struct {
	CAFile   string `yaml:"caFile" doc:"PEM file with certificate authorities to trust besides those of the system."`
	CertFile string `yaml:"certFile" doc:"PEM file of the client's certificate and its chain, read anew at each connection."`
	KeyFile  string `yaml:"keyFile" doc:"PEM file of the client's private key."`
}

// OTLPTraces says which messages are followed.
type OTLPTraces struct {
	Ratio float64 `yaml:"ratio" doc:"Share of the messages without a traceparent with which a trace begins, from 0 to 1. One that comes with a traceparent is followed if that says so, and not otherwise."`
}

// OTLPMetrics says whether metrics are sent.
type OTLPMetrics struct {
	Interval time.Duration `yaml:"interval" doc:"How often what /metrics shows is sent; 0 sends none."`
}

// leastOTLPInterval is the shortest time between two reports of the metrics.
const leastOTLPInterval = time.Second

func defaultOTLP() OTLP { return OTLP{Traces: OTLPTraces{Ratio: 0.01}} }

// Off reports whether nothing is sent.
func (o OTLP) Off() bool { return o.Endpoint == "" }

// checkOTLP checks what can be seen without asking the receiver.
func (d *decoder) checkOTLP(o OTLP, root *yaml.Node, bad func(key, reason, remedy string)) {
	if e, ok := find(root, "otlp"); ok && len(resolve(e.value).Content) > 0 && o.Off() {
		if _, said := locate(root, "otlp.endpoint"); !said { // one that stands there may be empty: a reference with a default
			bad("otlp", "has no endpoint", "write endpoint: and the address of the receiver, such as https://collector:4318")
		}
	}
	if r := o.Traces.Ratio; !(r >= 0 && r <= 1) { // not a number, too
		bad("otlp.traces.ratio", "must be from 0 to 1", "write 0.01 to follow one message in a hundred")
	}
	if i := o.Metrics.Interval; i != 0 && i < leastOTLPInterval {
		bad("otlp.metrics.interval", "must be 0 or at least "+leastOTLPInterval.String(), "write 1m, or remove the key to send no metrics")
	}
	for name := range o.Headers {
		if key := "otlp.headers." + name; !httpguts.ValidHeaderFieldName(name) {
			bad(key, "is no name of a header", "write a name such as authorization")
		} else if slices.Contains([]string{"content-type", "content-encoding", "content-length", "host"}, strings.ToLower(name)) {
			bad(key, "is a header that the feed makes itself", "remove it")
		}
	}
	if (o.TLS.CertFile == "") != (o.TLS.KeyFile == "") {
		bad("otlp.tls", "a certificate needs its key, and a key its certificate", "give both certFile and keyFile, or neither")
	}
	if o.Off() {
		return
	}
	const remedy = "write an address such as https://collector:4318"
	switch u, err := feed.NewURL(o.Endpoint).Parse(); {
	case err != nil:
		bad("otlp.endpoint", err.Error(), remedy)
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		bad("otlp.endpoint", "is no https or http address", remedy)
	case u.Port() == "4317":
		bad("otlp.endpoint", "has the port of OTLP over gRPC, which the feed does not speak", "write the one for HTTP, which is 4318 by default")
	case u.User != nil:
		bad("otlp.endpoint", "holds a user", "write headers: {authorization: ${file:/run/secrets/otlp}}")
	case u.RawQuery != "" || u.Fragment != "":
		bad("otlp.endpoint", "holds a query or a fragment, which would not be sent", "remove it")
	case u.Scheme == "http" && o.TLS != (OTLPTLS{}):
		bad("otlp.tls", "certificates are given for a connection without TLS", "write an https address, or remove the section")
	case u.Scheme == "http" && len(o.Headers) > 0:
		d.warn(nodeAt(root, "otlp.headers", root), "otlp.headers", "they are sent without TLS", "write an https address")
	}
}
