package fleettest

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// elsewhere are addresses of hosts outside of the cluster, one for each network that a name of the examples may be in.
var elsewhere = map[string]netip.Addr{
	".plant.example":         netip.MustParseAddr("10.20.30.40"),
	".vendor.example":        netip.MustParseAddr("203.0.113.7"),
	".blob.core.windows.net": netip.MustParseAddr("20.60.0.1"),
}

// reaches wants each process to be let out to the addresses that it is given, and to have an identity where it is given a
// storage account.
func reaches(t *testing.T, objects map[string]map[string]any) {
	t.Helper()
	asked := 0
	for id, object := range objects {
		template := "spec.template"
		switch object["kind"] {
		case "CronJob":
			template = "spec.jobTemplate.spec.template"
		case "Deployment":
		default:
			continue
		}
		_, name, _ := strings.Cut(id, " ")
		env, _ := at(object, template+".spec.containers.0.env").([]any)
		for _, variable := range env {
			text, _ := at(variable, "value").(string)
			if key, ok := at(variable, "valueFrom.configMapKeyRef.key").(string); ok {
				text, _ = at(objects["ConfigMap site"], "data."+key).(string)
			}
			u, err := url.Parse(text)
			if err != nil || u.Host == "" {
				continue
			}
			asked++
			if !letOut(t, objects, name, u) {
				t.Errorf("%s has %s, and no policy lets it there", name, text)
			}
			const identity = "azure.workload.identity/"
			if strings.HasSuffix(u.Hostname(), ".blob.core.windows.net") &&
				(at(objects["ServiceAccount "+name], "metadata.annotations."+strings.ReplaceAll(identity, ".", `\.`)+"client-id") == nil ||
					at(object, template+".metadata.labels."+strings.ReplaceAll(identity, ".", `\.`)+"use") != "true") {
				t.Errorf("%s has %s, and no identity to show there", name, text)
			}
		}
	}
	if asked < 6 {
		t.Errorf("processes are given %d addresses alone", asked)
	}
}

// letOut says whether policies let a process out to an address.
func letOut(t *testing.T, objects map[string]map[string]any, name string, u *url.URL) bool {
	t.Helper()
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "amqps": "5671", "mqtts": "8883"}[u.Scheme]
	}
	var to netip.Addr
	for suffix, addr := range elsewhere {
		if strings.HasSuffix(u.Hostname(), suffix) {
			to = addr
		}
	}
	if !to.IsValid() {
		t.Fatalf("%s is a host of no network that is known here", u.Host)
	}
	for _, object := range objects {
		if object["kind"] != "NetworkPolicy" || !slices.Contains(selectedBy(at(object, "spec.podSelector").(map[string]any)), name) {
			continue
		}
		rules, _ := at(object, "spec.egress").([]any)
		for _, rule := range rules {
			if hasPort(at(rule, "ports"), port) && hasAddress(t, at(rule, "to"), to) {
				return true
			}
		}
	}
	return false
}

func hasPort(ports any, port string) bool {
	list, _ := ports.([]any)
	return slices.ContainsFunc(list, func(p any) bool {
		number, ok := at(p, "port").(float64)
		return ok && strconv.Itoa(int(number)) == port
	})
}

func hasAddress(t *testing.T, peers any, to netip.Addr) bool {
	t.Helper()
	list, _ := peers.([]any)
	in := func(block any) bool {
		text, ok := block.(string)
		if !ok {
			return false
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		return prefix.Contains(to)
	}
	return slices.ContainsFunc(list, func(peer any) bool {
		except, _ := at(peer, "ipBlock.except").([]any)
		return in(at(peer, "ipBlock.cidr")) && !slices.ContainsFunc(except, in)
	})
}
