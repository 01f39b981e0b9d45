package observability

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube/typed"
)

// promtool runs Prometheus' own tool on rules, in a directory with the cases of
// alerts_test.yaml, and returns what it says and whether it is content. With an
// alert it gets the cases of that one alone.
func promtool(t *testing.T, rules typed.RuleFile, alert string, args ...string) (string, bool) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs promtool, which tools/setup.sh installs, and a -short run does not")
	}
	dir := t.TempDir()
	text, err := sigsyaml.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := os.ReadFile("alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if alert != "" {
		cases = casesOf(t, cases, alert)
	}
	for name, data := range map[string][]byte{"rules.yaml": text, "alerts_test.yaml": cases} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("%v: tools/setup.sh prometheus installs it", err)
	}
	return string(out), err == nil
}

// casesOf leaves of cases those of an alert.
func casesOf(t *testing.T, cases []byte, alert string) []byte {
	t.Helper()
	var all map[string]any
	if err := yaml.Unmarshal(cases, &all); err != nil {
		t.Fatal(err)
	}
	tests, _ := all["tests"].([]any)
	all["tests"] = slices.DeleteFunc(tests, func(test any) bool {
		name, _ := test.(map[string]any)["name"].(string)
		return !strings.HasPrefix(name, alert+" ")
	})
	text, err := yaml.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestAlerts: Prometheus takes the rules; each alert does in its cases what they say;
// and one that never fires, and one that always does, fail them.
func TestAlerts(t *testing.T) {
	if out, ok := promtool(t, component(t).rules, "", "check", "rules", "rules.yaml"); !ok {
		t.Fatal(out)
	}
	var records, alerts []typed.Rule
	for _, g := range component(t).rules.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				records = append(records, r)
			} else {
				alerts = append(alerts, r)
			}
		}
	}
	for _, r := range alerts {
		t.Run(r.Alert, func(t *testing.T) {
			tried := func(r typed.Rule) (string, bool) {
				rules := typed.RuleFile{Groups: []typed.RuleGroup{{Name: "one", Rules: append(slices.Clone(records), r)}}}
				return promtool(t, rules, r.Alert, "test", "rules", "alerts_test.yaml")
			}
			if out, ok := tried(r); !ok {
				t.Error(out)
			}
			for what, expr := range map[string]string{"never fires": "vector(0) > 1", "always fires": "vector(1)"} {
				bad := r
				bad.Expr, bad.For = expr, ""
				if _, ok := tried(bad); ok {
					t.Errorf("one that %s passes the cases", what)
				}
			}
		})
	}
}

// TestAlertsSaySomething: an alert has a severity that is known, a summary, and a
// delay that is a duration.
func TestAlertsSaySomething(t *testing.T) {
	names := make(map[string]bool)
	for _, g := range component(t).rules.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			if s := r.Labels["severity"]; s != "critical" && s != "warning" || r.Annotations["summary"] == "" || names[r.Alert] {
				t.Errorf("%+v", r)
			}
			names[r.Alert] = true
			if _, err := time.ParseDuration(r.For); r.For != "" && err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
		}
	}
}

// TestRulesStandInOnePlace: no document has rules of its own, which nobody would try.
func TestRulesStandInOnePlace(t *testing.T) {
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(documents) < 10 {
		t.Fatal(documents, err)
	}
	for _, name := range documents {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if rule := regexp.MustCompile(`(?m)^.*\b(alert|record): \w+$`).Find(text); rule != nil {
			t.Errorf("%s has a rule of its own: %s", name, rule)
		}
	}
}

// TestQueueLimits: what the rules say of the bounds of queues is what RabbitMQ is
// told.
func TestQueueLimits(t *testing.T) {
	data, err := fs.ReadFile(deploy.Tree(), "base/rabbitmq/topology.json")
	if err != nil {
		t.Fatal(err)
	}
	var topology struct {
		Queues []struct {
			Name      string
			Arguments map[string]any
		}
	}
	if err := json.Unmarshal(data, &topology); err != nil {
		t.Fatal(err)
	}
	want := make(map[string]float64)
	for _, q := range topology.Queues {
		if q.Arguments["x-queue-type"] == "stream" { // it never refuses anything
			continue
		}
		for argument, record := range map[string]string{"x-max-length-bytes": "bytes", "x-max-length": "messages"} {
			if n, ok := q.Arguments[argument].(float64); ok {
				want[record+" of "+q.Name] = n
			}
		}
	}
	got := make(map[string]float64)
	for _, g := range component(t).rules.Groups {
		for _, r := range g.Rules {
			var n float64
			if _, err := fmt.Sscanf(r.Expr, "vector(%g)", &n); r.Record != "" && err == nil {
				got[r.Record[len("datafeed:queue_limit_"):]+" of "+r.Labels["queue"]] = n
			}
		}
	}
	if len(want) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the rules say\n%v, RabbitMQ is told\n%v", got, want)
	}
}
