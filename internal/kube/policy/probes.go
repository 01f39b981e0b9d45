package policy

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// Probes wants three of each container that runs all the time, each at a port that the container has.
func Probes(s *site.Site) []string {
	var found breaches
	for _, w := range site.Sorted(s.Workloads) {
		for _, c := range w.Pod.Spec.Containers {
			for kind, probe := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
				switch {
				case !w.Runs():
					found.check(probe == nil, "%s/%s: a job has a %s probe", w.Name, c.Name, kind)
				case probe == nil:
					found.check(false, "%s/%s: it has no %s probe", w.Name, c.Name, kind)
				case probe.HTTPGet != nil:
					found.check(hasPort(&c, probe.HTTPGet.Port.StrVal), "%s/%s: the %s probe asks at the port %s, which it does not have", w.Name, c.Name, kind, probe.HTTPGet.Port.String())
				case probe.TCPSocket != nil:
					found.check(hasPort(&c, probe.TCPSocket.Port.StrVal), "%s/%s: the %s probe asks at the port %s, which it does not have", w.Name, c.Name, kind, probe.TCPSocket.Port.String())
				default:
					// A command takes longer than the second that is the default.
					found.check(probe.Exec != nil && probe.TimeoutSeconds >= 5, "%s/%s: the %s probe does nothing, or has less than 5 s for it", w.Name, c.Name, kind)
				}
			}
		}
		if w.Runs() && w.Pod.Labels["app.kubernetes.io/component"] == "feed" {
			c := &w.Pod.Spec.Containers[0]
			found.check(get(c.LivenessProbe) == "/healthz", "%s: the liveness probe asks for %q: an outage of a server would restart the feed", w.Name, get(c.LivenessProbe))
			found.check(get(c.ReadinessProbe) == "/readyz", "%s: the readiness probe asks for %q", w.Name, get(c.ReadinessProbe))
			grace := w.Pod.Spec.TerminationGracePeriodSeconds
			found.check(grace != nil && *grace > 20, "%s: it is killed before the feed has drained, which may take 20 s", w.Name)
		}
	}
	return found
}

// get returns the path that a probe asks for.
func get(probe *corev1.Probe) string {
	if probe == nil || probe.HTTPGet == nil {
		return ""
	}
	return probe.HTTPGet.Path
}

func hasPort(c *corev1.Container, name string) bool {
	for _, port := range c.Ports {
		if port.Name == name && name != "" {
			return true
		}
	}
	return false
}
