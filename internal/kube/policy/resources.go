package policy

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// servers hold what others have handed to them: a backlog, sessions, readings.
var servers = []string{"rabbitmq", "postgres", "mosquitto"}

// Resources wants requests and limits of processor and memory for each container, and a bound for each emptyDir. Servers
// request all the memory that they may use: a node that is short of it evicts first who uses more than is requested.
func Resources(s *site.Site) []string {
	var found breaches
	for _, w := range site.Sorted(s.Workloads) {
		for _, c := range w.Containers() {
			for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				request, limit := c.Resources.Requests[name], c.Resources.Limits[name]
				found.check(!request.IsZero(), "%s/%s: it requests no %s", w.Name, c.Name, name)
				found.check(!limit.IsZero(), "%s/%s: it has no limit of %s", w.Name, c.Name, name)
				found.check(request.Cmp(limit) <= 0, "%s/%s: it requests more %s than its limit", w.Name, c.Name, name)
			}
			request, limit := c.Resources.Requests[corev1.ResourceMemory], c.Resources.Limits[corev1.ResourceMemory]
			found.check(!slices.Contains(servers, c.Name) || request.Cmp(limit) == 0, "%s/%s: it requests less memory than it may use, and is evicted when the node is short of it", w.Name, c.Name)
		}
		for _, volume := range w.Pod.Spec.Volumes {
			found.check(volume.EmptyDir == nil || volume.EmptyDir.SizeLimit != nil, "%s: the emptyDir %s has no sizeLimit", w.Name, volume.Name)
		}
	}
	return found
}
