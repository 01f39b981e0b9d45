package typed

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// What the project uses of the Prometheus operator's kinds. Another field is refused, whether the operator knows it or not.

// A PodMonitor says which pods are scraped.
type PodMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []MetricsEndpoint    `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

// A MetricsEndpoint is one of a pod's.
type MetricsEndpoint struct {
	Port          string              `json:"port"` // its name
	Path          string              `json:"path"`
	Interval      string              `json:"interval"`
	ScrapeTimeout string              `json:"scrapeTimeout"`
	Params        map[string][]string `json:"params"`
}

// A PrometheusRule holds rules as Prometheus reads them.
type PrometheusRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              RuleFile `json:"spec"`
}

// A RuleFile is what Prometheus takes as a file of rules.
type RuleFile struct {
	Groups []RuleGroup `json:"groups"`
}

// A RuleGroup holds rules that are evaluated together.
type RuleGroup struct {
	Name  string `json:"name"`
	Rules []Rule `json:"rules"`
}

// A Rule has an Alert or a Record.
type Rule struct {
	Alert       string            `json:"alert,omitempty"`
	Record      string            `json:"record,omitempty"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}
