package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// Network wants everything denied that is not named, and each flow within the site named at both of its ends.
func Network(s *site.Site) []string {
	var found breaches
	deny := s.NetworkPolicies["default-deny"]
	found.check(deny != nil && len(deny.Spec.PodSelector.MatchLabels)+len(deny.Spec.PodSelector.MatchExpressions) == 0 && len(deny.Spec.Ingress)+len(deny.Spec.Egress) == 0 &&
		slices.Equal(deny.Spec.PolicyTypes, []networkingv1.PolicyType{"Ingress", "Egress"}), "nothing denies what is not named")
	out, in := map[string]bool{}, map[string]bool{}
	for _, policy := range site.Sorted(s.NetworkPolicies) {
		sides(s, policy, out, in, &found)
	}
	for flow := range out {
		found.check(in[flow] || outside(flow), "%s: the receiver's policy does not name it", flow)
	}
	for flow := range in {
		found.check(out[flow] || outside(flow), "%s: the sender's policy does not name it", flow)
	}
	slices.Sort(found)
	return found
}

// Flows returns what the policies of a site let pass, DNS apart: "ingest → rabbitmq 5672".
func Flows(s *site.Site) []string {
	all := map[string]bool{}
	for _, policy := range s.NetworkPolicies {
		sides(s, policy, all, all, &breaches{})
	}
	var sorted []string
	for flow := range all {
		if !strings.Contains(flow, "kube-dns") {
			sorted = append(sorted, flow)
		}
	}
	slices.Sort(sorted)
	return sorted
}

// outside reports whether one end of a flow is not in the site.
func outside(flow string) bool { return strings.ContainsAny(flow, "/*") }

func sides(s *site.Site, policy *networkingv1.NetworkPolicy, out, in map[string]bool, found *breaches) {
	selected := []*site.Workload{nil} // all
	if !everything(&policy.Spec.PodSelector) {
		selected = matching(s, &policy.Spec.PodSelector)
	}
	for _, rule := range policy.Spec.Egress {
		found.check(len(rule.To) > 0 && len(rule.Ports) > 0, "policy %s: it lets something go anywhere", policy.Name)
		for _, from := range selected {
			for _, to := range rule.To {
				for _, end := range ends(s, to) {
					add(out, found, policy.Name, name(from), end, rule.Ports)
				}
			}
		}
	}
	for _, rule := range policy.Spec.Ingress {
		found.check(len(rule.From) > 0 && len(rule.Ports) > 0, "policy %s: it lets something come from anywhere", policy.Name)
		for _, to := range selected {
			for _, from := range rule.From {
				for _, end := range ends(s, from) {
					add(in, found, policy.Name, end.name, endOf(to), rule.Ports)
				}
			}
		}
	}
}

// An end is a workload of the site, or the name of something outside.
type end struct {
	workload *site.Workload
	name     string
}

func endOf(w *site.Workload) end { return end{w, name(w)} }

// add notes flows.
func add(flows map[string]bool, found *breaches, policy, sender string, receiver end, ports []networkingv1.NetworkPolicyPort) {
	for _, port := range ports {
		number, known := portNumber(receiver.workload, port.Port)
		found.check(known, "policy %s: %s has no port %s", policy, receiver.name, port.Port.String())
		protocol := ""
		if port.Protocol != nil && *port.Protocol != corev1.ProtocolTCP {
			protocol = " " + string(*port.Protocol)
		}
		flows[fmt.Sprintf("%s → %s %d%s", sender, receiver.name, number, protocol)] = true
	}
}

func name(w *site.Workload) string {
	if w == nil {
		return "*"
	}
	return w.Name
}

// portNumber resolves a port's name by the pods that receive.
func portNumber(w *site.Workload, port *intstr.IntOrString) (int32, bool) {
	if port == nil {
		return 0, false
	}
	if port.Type == intstr.Int {
		return port.IntVal, true
	}
	if w == nil {
		return 0, false
	}
	for _, c := range w.Pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == port.StrVal {
				return p.ContainerPort, true
			}
		}
	}
	return 0, false
}

// ends returns who a peer is. What stands in other namespaces has a slash in its name.
func ends(s *site.Site, peer networkingv1.NetworkPolicyPeer) []end {
	switch {
	case peer.IPBlock != nil:
		return []end{{name: cmp.Or(map[string]string{"0.0.0.0/0": "internet/*"}[peer.IPBlock.CIDR], peer.IPBlock.CIDR)}}
	case peer.NamespaceSelector != nil:
		pods := "*"
		if peer.PodSelector != nil {
			pods = cmp.Or(peer.PodSelector.MatchLabels["k8s-app"], peer.PodSelector.MatchLabels["app.kubernetes.io/name"], "?")
		}
		return []end{{name: cmp.Or(peer.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"], "?") + "/" + pods}}
	case everything(peer.PodSelector):
		return []end{{name: "*"}}
	}
	var all []end
	for _, w := range matching(s, peer.PodSelector) {
		all = append(all, endOf(w))
	}
	return all
}

func everything(selector *metav1.LabelSelector) bool {
	return len(selector.MatchLabels)+len(selector.MatchExpressions) == 0
}

func matching(s *site.Site, selector *metav1.LabelSelector) []*site.Workload {
	var all []*site.Workload
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil
	}
	for _, w := range site.Sorted(s.Workloads) {
		if parsed.Matches(labels.Set(w.Pod.Labels)) {
			all = append(all, w)
		}
	}
	return all
}
