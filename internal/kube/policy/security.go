package policy

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// PodSecurity wants what the level "restricted" of Kubernetes' Pod Security Standards does, and file systems that cannot be
// written.
func PodSecurity(s *site.Site) []string {
	var found breaches
	found.check(len(s.Namespaces) == 1, "there are %d namespaces", len(s.Namespaces))
	for _, namespace := range s.Namespaces {
		for _, mode := range []string{"enforce", "audit", "warn"} {
			key := "pod-security.kubernetes.io/" + mode
			found.check(namespace.Labels[key] == "restricted", "namespace %s: the label %s is %q", namespace.Name, key, namespace.Labels[key])
		}
	}
	for _, w := range site.Sorted(s.Workloads) {
		spec := &w.Pod.Spec
		found.check(!spec.HostNetwork && !spec.HostPID && !spec.HostIPC, "%s: it uses the host's network, processes or IPC", w.Name)
		pod := spec.SecurityContext
		if pod == nil {
			pod = &corev1.PodSecurityContext{}
		}
		found.check(is(pod.RunAsNonRoot, true), "%s: runAsNonRoot is not true", w.Name)
		found.check(pod.RunAsUser != nil && *pod.RunAsUser > 0, "%s: runAsUser is no user but root", w.Name)
		found.check(pod.RunAsGroup != nil && *pod.RunAsGroup > 0, "%s: runAsGroup is no group but root's", w.Name)
		found.check(pod.FSGroup != nil && *pod.FSGroup > 0, "%s: fsGroup is no group but root's", w.Name)
		found.check(pod.SeccompProfile != nil && pod.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "%s: the seccomp profile is not RuntimeDefault", w.Name)
		found.check(len(pod.Sysctls) == 0, "%s: it sets sysctls", w.Name)
		for _, volume := range spec.Volumes {
			found.check(allowedVolume(&volume), "%s: volume %s is of a type that is not allowed", w.Name, volume.Name)
			found.check(secretsAreClosed(&volume), "%s: volume %s holds a secret that every user may read, or keys that are not named: write items, and defaultMode: 0440", w.Name, volume.Name)
		}
		for _, c := range w.Containers() {
			found.container(w, &c)
		}
	}
	return found
}

func (b *breaches) container(w *site.Workload, c *corev1.Container) {
	name := w.Name + "/" + c.Name
	own := c.SecurityContext
	if own == nil {
		own = &corev1.SecurityContext{}
	}
	b.check(is(own.AllowPrivilegeEscalation, false), "%s: allowPrivilegeEscalation is not false", name)
	b.check(is(own.ReadOnlyRootFilesystem, true), "%s: readOnlyRootFilesystem is not true", name)
	b.check(own.Capabilities != nil && slices.Contains(own.Capabilities.Drop, "ALL") && len(own.Capabilities.Add) == 0, "%s: it does not drop all capabilities", name)
	b.check(!is(own.Privileged, true), "%s: it is privileged", name)
	b.check(own.RunAsUser == nil && own.RunAsGroup == nil && own.RunAsNonRoot == nil && own.SeccompProfile == nil, "%s: it overrides what the pod says of users and seccomp", name)
	b.check(own.ProcMount == nil && own.SELinuxOptions == nil && own.WindowsOptions == nil, "%s: it sets procMount or options of SELinux or Windows", name)
	for _, port := range c.Ports {
		b.check(port.HostPort == 0, "%s: port %s is open on the host", name, port.Name)
	}
}

// allowedVolume reports whether the level restricted permits a volume; it permits some more, which nothing here needs.
func allowedVolume(v *corev1.Volume) bool {
	return v.ConfigMap != nil || v.Secret != nil || v.EmptyDir != nil || v.Projected != nil || v.PersistentVolumeClaim != nil
}

// secretsAreClosed reports whether a volume with a Secret names its keys, and lets user and group read alone.
func secretsAreClosed(v *corev1.Volume) bool {
	closed := func(mode *int32) bool { return mode != nil && *mode&0o337 == 0 }
	if v.Secret != nil {
		return closed(v.Secret.DefaultMode) && len(v.Secret.Items) > 0
	}
	if v.Projected == nil {
		return true
	}
	for _, source := range v.Projected.Sources {
		if source.Secret != nil && len(source.Secret.Items) == 0 {
			return false
		}
		if (source.Secret != nil || source.ServiceAccountToken != nil) && !closed(v.Projected.DefaultMode) {
			return false
		}
	}
	return true
}

// breaches collects sentences.
type breaches []string

func (b *breaches) check(holds bool, format string, args ...any) {
	if !holds {
		*b = append(*b, fmt.Sprintf(format, args...))
	}
}

// is reports whether a flag is set to a value.
func is(flag *bool, value bool) bool { return flag != nil && *flag == value }
