package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// Monitored wants rules to alert by, each feed and RabbitMQ to be scraped at a port that they have and that the namespace
// monitoring may reach, and nothing else to be open to it.
func Monitored(s *site.Site) []string {
	var found breaches
	found.check(len(s.Rules) > 0, "nothing is alerted on")
	scraped := map[string]bool{}
	for _, monitor := range site.Sorted(s.Monitors) {
		met := matching(s, &monitor.Spec.Selector)
		found.check(len(met) > 0, "monitor %s: it meets no pod", monitor.Name)
		for _, w := range met {
			for _, endpoint := range monitor.Spec.Endpoints {
				found.check(workloadHasPort(w, endpoint.Port), "monitor %s: %s has no port %s", monitor.Name, w.Name, endpoint.Port)
				for _, c := range w.Pod.Spec.Containers {
					for _, port := range c.Ports {
						if port.Name == endpoint.Port {
							scraped[fmt.Sprintf("monitoring/* → %s %d", w.Name, port.ContainerPort)] = true
						}
					}
				}
			}
		}
	}
	allowed := Flows(s)
	for flow := range scraped {
		found.check(slices.Contains(allowed, flow), "%s: it is scraped, and no policy lets it pass", flow)
	}
	for _, flow := range allowed {
		found.check(scraped[flow] || !strings.HasPrefix(flow, "monitoring/"), "%s: it may pass, and nothing is scraped there", flow)
	}
	for _, w := range site.Sorted(s.Workloads) {
		if w.Runs() && (w.Pod.Labels["app.kubernetes.io/component"] == "feed" || w.Name == "rabbitmq") {
			found.check(slices.ContainsFunc(allowed, func(flow string) bool {
				return scraped[flow] && strings.HasPrefix(flow, "monitoring/* → "+w.Name+" ")
			}), "%s: nobody scrapes it", w.Name)
		}
	}
	slices.Sort(found)
	return found
}

// BuiltInKinds wants no object of a kind that somebody must have installed in the cluster.
func BuiltInKinds(s *site.Site) []string {
	var found breaches
	for _, monitor := range site.Sorted(s.Monitors) {
		found.check(false, "monitor %s: a cluster without the Prometheus operator refuses it", monitor.Name)
	}
	for _, rules := range site.Sorted(s.Rules) {
		found.check(false, "rules %s: a cluster without the Prometheus operator refuses them", rules.Name)
	}
	found.check(len(s.Issuers)+len(s.Certificates) == 0, "a cluster without cert-manager refuses the %d issuers and certificates", len(s.Issuers)+len(s.Certificates))
	return found
}
