package policy

import (
	"bytes"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/capacity"
	"github.com/kraft-edge/datafeed/internal/kube"
	"github.com/kraft-edge/datafeed/internal/kube/site"
	"github.com/kraft-edge/datafeed/stages"
)

// load is what the volumes are made for. Its batches are the smallest that are to be expected: of the same bytes small messages
// take more of the disk than large ones.
var load = capacity.Load{Rate: 250, Bytes: 150, BatchReadings: 50}

// VolumeBudgets wants all that has bounds on a volume to fit on it, as feed capacity reckons. How long an outage that bridges is
// another question: of no length at all is asked here.
func VolumeBudgets(s *site.Site) []string {
	report, err := reckon(s)
	if err != nil {
		return []string{err.Error()}
	}
	return report.Warnings
}

func reckon(s *site.Site) (*capacity.Report, error) {
	registry, err := feed.NewRegistry(stages.All()...)
	if err != nil {
		return nil, err
	}
	var manifests bytes.Buffer
	if err := kube.Write(&manifests, s.Objects); err != nil {
		return nil, err
	}
	plan := capacity.NewPlan(load)
	if err := plan.AddManifests(registry, "site", manifests.Bytes()); err != nil {
		return nil, err
	}
	return plan.Reckon(0)
}
