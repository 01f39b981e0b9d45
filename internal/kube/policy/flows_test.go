package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// flows are what passes, and nothing else, by the part that brings it. DNS is looked up by all.
// With TLS the ports are others.
var flows = map[string][]string{
	"base": {
		"archive → rabbitmq 5672",
		"bridge → rabbitmq 5672",
		"ingest → postgres 5432",
		"ingest → rabbitmq 5672",
		"monitoring/* → archive 9090",
		"monitoring/* → bridge 9090",
		"monitoring/* → ingest 9090",
		"monitoring/* → rabbitmq 15692",
		"monitoring/* → validator 9090",
		"validator → rabbitmq 5672",
	},
	"mosquitto": {"bridge → mosquitto 1883"},
	"relay":     {"mosquitto → azure-iot-operations/* 8883"},
	"aio":       {"bridge → azure-iot-operations/* 18884"},
	"azurite":   {"archive → azurite 10000", "validate → azurite 10000"},
	"simulator": {
		"simulator → cloud-api 8080",
		"simulator → rabbitmq 5672",
		"validate → cloud-api 8080",
		"validator → cloud-api 8080",
	},
	"devices": {"192.0.2.0/24 → rabbitmq 5672"},
	"azure":   {"archive → internet/* 443", "validate → internet/* 443"},
	"cloud":   {"validate → internet/* 443", "validator → internet/* 443"},
	// Instead of the two above.
	"proxy": {"archive → 192.0.2.20/32 8080", "validate → 192.0.2.20/32 8080", "validator → 192.0.2.20/32 8080"},
	// The way to the database that is off unless a site wants it.
	"postgres":  {"validate-postgres → postgres 5432", "validate-postgres → internet/* 443"},
	"otlp":      {"archive → monitoring/* 4318", "bridge → monitoring/* 4318", "ingest → monitoring/* 4318", "validator → monitoring/* 4318"},
	"devices-a": {"198.51.100.0/24 → rabbitmq 5672"},
	"devices-b": {"203.0.113.0/24 → rabbitmq 5672"},
}

// TestTheProxyIsWhereThePolicyLeads: the site's address of the proxy is the one that its processes get, and may reach.
func TestTheProxyIsWhereThePolicyLeads(t *testing.T) {
	s := mustRead(t, rendered(t, "site-example-a"))
	for _, flow := range flows["proxy"] {
		name, to, _ := strings.Cut(flow, " → ")
		host, port, _ := strings.Cut(to, "/32 ")
		c := s.Workloads[name].Pod.Spec.Containers[0]
		if !slices.ContainsFunc(s.Environment(&c), func(v site.Variable) bool {
			return v.Name == "HTTPS_PROXY" && v.Value == "http://"+host+":"+port
		}) {
			t.Errorf("%s has another proxy than %s", name, to)
		}
	}
}

func TestFlows(t *testing.T) {
	for overlay, parts := range map[string][]string{
		"poc":            {"base", "mosquitto", "azurite", "simulator"},
		"aio":            {"base", "aio", "azurite", "simulator"},
		"prod":           {"base", "aio", "devices", "azure", "cloud", "tls"},
		"mosquitto":      {"base", "mosquitto", "relay", "devices", "azure", "cloud", "tls"},
		"site-example-a": {"base", "aio", "devices-a", "proxy", "tls"},
		"site-example-b": {"base", "mosquitto", "relay", "devices-b", "azure", "cloud", "postgres", "otlp", "tls"},
	} {
		var want []string
		for _, part := range parts {
			want = append(want, flows[part]...)
		}
		if slices.Contains(parts, "tls") {
			for i := range want {
				want[i] = strings.NewReplacer("rabbitmq 5672", "rabbitmq 5671", "mosquitto 1883", "mosquitto 8883").Replace(want[i])
			}
		}
		slices.Sort(want)
		want = slices.Compact(want)
		got := Flows(mustRead(t, rendered(t, overlay)))
		for _, flow := range got {
			if !slices.Contains(want, flow) {
				t.Errorf("%s: %s passes, and the table has it not", overlay, flow)
			}
		}
		for _, flow := range want {
			if !slices.Contains(got, flow) {
				t.Errorf("%s: %s does not pass", overlay, flow)
			}
		}
	}
}
