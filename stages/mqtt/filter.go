package mqtt

import (
	"fmt"
	"strings"
)

// filterProblem says why s is no topic filter (MQTT 5.0 §4.7.1), or "".
func filterProblem(s string) string {
	if s == "" {
		return "the filter is empty"
	}
	if why := textProblem(s); why != "" {
		return fmt.Sprintf("the filter %s %s", clip(s), why)
	}
	if strings.HasPrefix(s, "$share/") {
		return fmt.Sprintf("the filter %s is a shared subscription, for which there is the key sharedGroup", clip(s))
	}
	for rest, more := s, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		switch {
		case level == "#" && more:
			return fmt.Sprintf("the filter %s has a # that is not its last level", clip(s))
		case len(level) > 1 && strings.ContainsAny(level, "+#"):
			return fmt.Sprintf("the filter %s has a wildcard that is not a level of its own", clip(s))
		}
	}
	return ""
}

// groupProblem says why s cannot name a group of sharers (§4.8.2), or "".
func groupProblem(s string) string {
	if why := textProblem(s); why != "" {
		return "the name " + why
	}
	if strings.ContainsAny(s, "/+#") {
		return fmt.Sprintf("the name %s has one of / + #", clip(s))
	}
	return ""
}

// shared returns the filter as a member of group subscribes to it.
func shared(group, filter string) string {
	if group == "" {
		return filter
	}
	return "$share/" + group + "/" + filter
}
