package policy

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// volume is what a process keeps, where, and as whom.
type volume struct {
	kind, path, size string
	user             int64
}

// volumes are those that the plant's requirements name, and those that the feed's processes need for what they quarantine.
var volumes = map[string]volume{
	"rabbitmq":  {"StatefulSet", "/var/lib/rabbitmq/mnesia", "5Gi", 999},
	"postgres":  {"StatefulSet", "/var/lib/postgresql/data", "40Gi", 70},
	"mosquitto": {"StatefulSet", "/mosquitto/data", "5Gi", 1883},
	"ingest":    {"Deployment", "/var/lib/feed", "5Gi", 65532},
	"bridge":    {"Deployment", "/var/lib/feed", "2Gi", 65532},
	"archive":   {"Deployment", "/var/lib/feed", "2Gi", 65532},
	"validator": {"Deployment", "/var/lib/feed", "5Gi", 65532},
	// For trying things.
	"azurite":   {"StatefulSet", "/data", "10Gi", 1000},
	"cloud-api": {"StatefulSet", "/var/lib/feed", "10Gi", 65532},
}

// Volumes wants each process that keeps something to keep it on a volume of its own, of the size and at the path above.
func Volumes(s *site.Site) []string {
	var found breaches
	claimed := map[string]string{}
	for _, w := range site.Sorted(s.Workloads) {
		claim, name := claimOf(s, w)
		want, known := volumes[w.Name]
		if !known {
			found.check(claim == nil && !w.Runs(), "%s: nobody has said what it keeps on a volume", w.Name)
			continue
		}
		found.check(w.Kind == want.kind, "%s: it is a %s and should be a %s", w.Name, w.Kind, want.kind)
		pod := w.Pod.Spec.SecurityContext
		for id, value := range map[string]*int64{"runAsUser": pod.RunAsUser, "runAsGroup": pod.RunAsGroup, "fsGroup": pod.FSGroup} {
			found.check(value != nil && *value == want.user, "%s: %s is not %d", w.Name, id, want.user)
		}
		if claim == nil {
			found.check(false, "%s: it has no volume", w.Name)
			continue
		}
		size := claim.Resources.Requests[corev1.ResourceStorage]
		found.check(size.String() == want.size, "%s: its volume holds %s and should hold %s", w.Name, size.String(), want.size)
		found.check(slices.Equal(claim.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}), "%s: its volume is not ReadWriteOnce", w.Name)
		mounted := slices.ContainsFunc(w.Pod.Spec.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool {
			return m.Name == name && m.MountPath == want.path && !m.ReadOnly && m.SubPath == ""
		})
		found.check(mounted, "%s: its volume is not mounted at %s", w.Name, want.path)
	}
	for _, w := range site.Sorted(s.Workloads) {
		for _, v := range w.Pod.Spec.Volumes {
			if v.PersistentVolumeClaim == nil {
				continue
			}
			name := v.PersistentVolumeClaim.ClaimName
			found.check(claimed[name] == "", "%s: %s has the volume %s, too", w.Name, claimed[name], name)
			claimed[name] = w.Name
		}
	}
	for name := range s.Claims {
		found.check(claimed[name] != "", "claim %s: nobody mounts it", name)
	}
	return found
}

// claimOf returns the one claim of a workload, and the volume's name in its pods.
func claimOf(s *site.Site, w *site.Workload) (*corev1.PersistentVolumeClaimSpec, string) {
	if len(w.Claims) == 1 {
		return &w.Claims[0].Spec, w.Claims[0].Name
	}
	for _, v := range w.Pod.Spec.Volumes {
		if v.PersistentVolumeClaim == nil {
			continue
		}
		if claim, there := s.Claims[v.PersistentVolumeClaim.ClaimName]; there {
			return &claim.Spec, v.Name
		}
	}
	return nil, ""
}
