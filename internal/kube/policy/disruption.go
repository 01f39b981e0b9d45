package policy

import (
	"slices"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// Disruption wants a PodDisruptionBudget for each workload that runs all the time, which lets a node be drained, and one
// process at a time for each volume.
func Disruption(s *site.Site) []string {
	var found breaches
	for _, w := range site.Sorted(s.Workloads) {
		if !w.Runs() {
			continue
		}
		budgets := 0
		for _, budget := range s.Budgets {
			if budget.Spec.Selector == nil || !slices.Contains(pods(s, budget.Spec.Selector.MatchLabels), w) {
				continue
			}
			budgets++
			// Of one pod none would be left to go.
			most := budget.Spec.MaxUnavailable
			found.check(budget.Spec.MinAvailable == nil && most != nil && most.IntValue() >= 1, "%s: its disruption budget keeps nodes from being drained", w.Name)
		}
		found.check(budgets == 1, "%s: it has %d disruption budgets", w.Name, budgets)
		found.check(w.Replicas == 1, "%s: it has %d replicas, which would share what one process owns", w.Name, w.Replicas)
		found.check(w.Kind != "Deployment" || w.Strategy == "Recreate", "%s: its strategy is %q: two at a time would share a volume", w.Name, w.Strategy)
	}
	return found
}
