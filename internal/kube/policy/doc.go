// Package policy holds the rules that every site keeps, as functions that say what breaks them. It is for tests.
package policy

import "github.com/kraft-edge/datafeed/internal/kube/site"

// A Rule returns a sentence for each breach.
type Rule func(*site.Site) []string

// All are the rules that hold for each site, by name.
var All = map[string]Rule{
	"pod security":       PodSecurity,
	"probes":             Probes,
	"resources":          Resources,
	"volumes":            Volumes,
	"budgets of volumes": VolumeBudgets,
	"server settings":    ServerSettings,
	"secrets":            SecretsStaySecret,
	"services":           Services,
	"network":            Network,
	"mounted is used":    MountedIsUsed,
	"disruption":         Disruption,
	"placement":          Placement,
	"accounts":           Accounts,
	"feed files":         FeedFiles,
	"one cloud leg":      OneCloudLeg,
}
