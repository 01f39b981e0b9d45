package policy

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// Accounts wants an account of its own for each workload, without a token for the API server, which nothing here calls.
func Accounts(s *site.Site) []string {
	var found breaches
	used := map[string]bool{}
	for _, w := range site.Sorted(s.Workloads) {
		spec := &w.Pod.Spec
		found.check(spec.ServiceAccountName == w.Name, "%s: its account is %q and not its own", w.Name, spec.ServiceAccountName)
		found.check(is(spec.AutomountServiceAccountToken, false), "%s: its pods get a token for the API server", w.Name)
		found.check(is(spec.EnableServiceLinks, false), "%s: its pods get variables of all services", w.Name)
		account, there := s.ServiceAccounts[spec.ServiceAccountName]
		found.check(there && is(account.AutomountServiceAccountToken, false), "%s: its account is not there, or gets a token for the API server", w.Name)
		used[spec.ServiceAccountName] = true
		for _, v := range spec.Volumes {
			for _, token := range tokens(&v) {
				found.check(w.Name == "bridge" && token.Audience == "aio-internal", "%s: it gets a token for %q", w.Name, token.Audience)
			}
		}
	}
	for name := range s.ServiceAccounts {
		found.check(used[name], "account %s: nobody uses it", name)
	}
	return found
}

func tokens(v *corev1.Volume) []*corev1.ServiceAccountTokenProjection {
	var all []*corev1.ServiceAccountTokenProjection
	if v.Projected == nil {
		return nil
	}
	for _, source := range v.Projected.Sources {
		if source.ServiceAccountToken != nil {
			all = append(all, source.ServiceAccountToken)
		}
	}
	return all
}

// BrokerToken wants the bridge to have a token for the broker of Azure IoT Operations, where its file looks for it.
func BrokerToken(s *site.Site) []string {
	var found breaches
	bridge := s.Workloads["bridge"]
	at := map[string]string{}
	for _, mount := range bridge.Pod.Spec.Containers[0].VolumeMounts {
		at[mount.Name] = mount.MountPath
	}
	n := 0
	for _, v := range bridge.Pod.Spec.Volumes {
		for _, token := range tokens(&v) {
			n++
			found.check(at[v.Name]+"/"+token.Path == "/var/run/secrets/tokens/broker-sat", "bridge: the token stands in %s/%s", at[v.Name], token.Path)
			found.check(token.Audience == "aio-internal" && token.ExpirationSeconds != nil && *token.ExpirationSeconds >= 600, "bridge: the token is for %q", token.Audience)
		}
	}
	found.check(n == 1, "bridge: it has %d tokens", n)
	return found
}

// WorkloadIdentity wants an identity of its own for each who uses Azure Blob Storage, and for nobody else, and no
// connection string.
func WorkloadIdentity(s *site.Site) []string {
	var found breaches
	for _, w := range site.Sorted(s.Workloads) {
		account := s.ServiceAccounts[w.Pod.Spec.ServiceAccountName]
		wants := w.Name == "archive" || w.Name == "validate"
		found.check((w.Pod.Labels["azure.workload.identity/use"] == "true") == wants, "%s: the label azure.workload.identity/use is %q", w.Name, w.Pod.Labels["azure.workload.identity/use"])
		found.check(account != nil && (len(account.Annotations["azure.workload.identity/client-id"]) == 36) == wants, "%s: its account has the wrong identity", w.Name)
		for _, c := range w.Containers() {
			for _, env := range c.Env {
				found.check(env.Name != "AZURE_STORAGE_CONNECTION_STRING", "%s: it has a connection string", w.Name)
			}
		}
	}
	return found
}
