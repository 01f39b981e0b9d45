package policy

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// Resources wants requests and limits of processor and memory for each container, and a bound for each emptyDir.
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
		}
		for _, volume := range w.Pod.Spec.Volumes {
			found.check(volume.EmptyDir == nil || volume.EmptyDir.SizeLimit != nil, "%s: the emptyDir %s has no sizeLimit", w.Name, volume.Name)
		}
	}
	return found
}
