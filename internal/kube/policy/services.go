package policy

import (
	"maps"
	"slices"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// Services wants each to select the pods of exactly one workload, each of its ports to be a port of a container, and each
// StatefulSet to have its headless Service.
func Services(s *site.Site) []string {
	var found breaches
	for _, service := range site.Sorted(s.Services) {
		selected := pods(s, service.Spec.Selector)
		found.check(len(selected) == 1, "service %s: it selects the pods of %d workloads", service.Name, len(selected))
		for _, w := range selected {
			for _, port := range service.Spec.Ports {
				found.check(workloadHasPort(w, port.TargetPort.StrVal), "service %s: port %s leads to %s, which no container of %s has", service.Name, port.Name, port.TargetPort.String(), w.Name)
			}
		}
	}
	for _, w := range site.Sorted(s.Workloads) {
		if w.Kind != "StatefulSet" {
			continue
		}
		service, there := s.Services[w.ServiceName]
		found.check(there && service.Spec.ClusterIP == "None" && slices.Contains(pods(s, service.Spec.Selector), w), "statefulset %s: it has no headless service %q", w.Name, w.ServiceName)
	}
	for _, w := range site.Sorted(s.Workloads) {
		for key, value := range w.Selector {
			found.check(w.Pod.Labels[key] == value, "%s: its selector does not meet its own pods: %s", w.Name, key)
		}
		found.check(!w.Runs() || len(w.Selector) > 0, "%s: it selects all pods", w.Name)
	}
	return found
}

// pods returns the workloads whose pods have all of the labels, at least one.
func pods(s *site.Site, labels map[string]string) []*site.Workload {
	var all []*site.Workload
	for _, w := range site.Sorted(s.Workloads) {
		if len(labels) > 0 && contains(w.Pod.Labels, labels) {
			all = append(all, w)
		}
	}
	return all
}

func contains(all, part map[string]string) bool {
	merged := maps.Clone(all)
	maps.Copy(merged, part)
	return maps.Equal(merged, all)
}

func workloadHasPort(w *site.Workload, name string) bool {
	for _, c := range w.Pod.Spec.Containers {
		if hasPort(&c, name) {
			return true
		}
	}
	return false
}
