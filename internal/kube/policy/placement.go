package policy

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// Placement wants the pods that run all the time spread over nodes, and never kept from running because of that.
func Placement(s *site.Site) []string {
	var found breaches
	for _, w := range site.Sorted(s.Workloads) {
		if !w.Runs() {
			continue
		}
		spread := w.Pod.Spec.TopologySpreadConstraints
		found.check(len(spread) == 1 && spread[0].TopologyKey == "kubernetes.io/hostname" && spread[0].MaxSkew == 1, "%s: it is not spread over nodes", w.Name)
		for _, constraint := range spread {
			found.check(constraint.WhenUnsatisfiable == corev1.ScheduleAnyway, "%s: it would not run on a cluster of one node", w.Name)
			found.check(constraint.LabelSelector != nil && len(constraint.LabelSelector.MatchLabels) == 1 && contains(w.Pod.Labels, constraint.LabelSelector.MatchLabels), "%s: its pods do not count among those that are spread", w.Name)
		}
	}
	return found
}

// Specialised wants every pod to tolerate the taint of nodes that are kept from general work, whatever its effect.
func Specialised(s *site.Site) []string {
	var found breaches
	for _, w := range site.Sorted(s.Workloads) {
		tolerates := false
		for _, t := range w.Pod.Spec.Tolerations {
			tolerates = tolerates || t.Key == "factoryplus.app.amrc.co.uk/specialised" && t.Operator == corev1.TolerationOpExists && t.Effect == "" && t.TolerationSeconds == nil
		}
		found.check(tolerates, "%s: it does not tolerate specialised nodes", w.Name)
	}
	return found
}
