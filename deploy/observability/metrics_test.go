package observability

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/kraft-edge/datafeed/feed/metrics"
	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// fromElsewhere are metrics that neither a feed nor RabbitMQ exposes, with their
// labels, and who does.
var fromElsewhere = map[string]struct {
	who    string
	labels []string
}{
	"up":                                   {"Prometheus, of each target", nil},
	"kubelet_volume_stats_available_bytes": {"the kubelet", []string{"persistentvolumeclaim"}},
	"kubelet_volume_stats_capacity_bytes":  {"the kubelet", []string{"persistentvolumeclaim"}},
	"kube_deployment_status_replicas_unavailable":          {"kube-state-metrics", []string{"deployment"}},
	"kube_statefulset_replicas":                            {"kube-state-metrics", []string{"statefulset"}},
	"kube_statefulset_status_replicas_ready":               {"kube-state-metrics", []string{"statefulset"}},
	"kube_job_status_failed":                               {"kube-state-metrics", []string{"job_name"}},
	"kube_job_status_start_time":                           {"kube-state-metrics", []string{"job_name"}},
	"kube_job_owner":                                       {"kube-state-metrics", []string{"job_name", "owner_kind", "owner_name"}},
	"kube_cronjob_status_last_successful_time":             {"kube-state-metrics", []string{"cronjob"}},
	"kube_pod_start_time":                                  {"kube-state-metrics", nil},
	"certmanager_certificate_expiration_timestamp_seconds": {"cert-manager", []string{"name", "issuer_name"}},
}

// targetLabels are put on every series by whoever scrapes it.
var targetLabels = []string{"job", "instance", "namespace", "pod", "container", "endpoint"}

// exposed are the values of each label of each metric.
type exposed map[string]map[string][]string

// TestMetricsExist: rules and dashboards ask for metrics, labels and values of labels
// that a running feed with all kinds of stages and a RabbitMQ really expose, or that
// are known to come from elsewhere.
func TestMetricsExist(t *testing.T) {
	found := component(t)
	expressions := make(map[string]string)
	records := make(map[string]bool)
	for _, g := range found.rules.Groups {
		for _, r := range g.Rules {
			expressions[r.Alert+r.Record+" "+r.Labels["queue"]] = r.Expr
			records[r.Record] = true
		}
	}
	for name, d := range found.dashboards {
		for _, p := range d.Panels {
			for i, target := range p.Targets {
				expressions[fmt.Sprintf("%s, %s, query %d", name, p.Title, i+1)] = strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
			}
		}
		for _, v := range d.Templating.List {
			q, _ := v.Query.(map[string]any)
			text, _ := q["query"].(string)
			if selector, ok := strings.CutPrefix(text, "label_values("); ok {
				expressions[name+", variable "+v.Name] = selector[:strings.LastIndex(selector, ",")]
			}
		}
	}
	scraped := scrape(t)
	for where, text := range expressions {
		expression, err := parser.ParseExpr(text)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		parser.Inspect(expression, func(n parser.Node, _ []parser.Node) error {
			if s, ok := n.(*parser.VectorSelector); ok && !records[s.Name] {
				for _, wrong := range scraped.lacks(s) {
					t.Errorf("%s: %s: %s", where, s, wrong)
				}
			}
			return nil
		})
	}
}

// lacks says what of a selector nobody exposes.
func (e exposed) lacks(s *parser.VectorSelector) (wrong []string) {
	have, known := e[s.Name]
	elsewhere, ok := fromElsewhere[s.Name]
	if !known && !ok {
		return []string{"there is no such metric"}
	}
	for _, m := range s.LabelMatchers {
		if m.Name == labels.MetricName || slices.Contains(targetLabels, m.Name) || slices.Contains(elsewhere.labels, m.Name) {
			continue
		}
		if have[m.Name] == nil {
			wrong = append(wrong, "it has no label "+m.Name)
			continue
		}
		if strings.HasPrefix(m.Value, "$") || m.Name == "queue" {
			continue // what somebody chooses, or the site's
		}
		for _, value := range alternatives(m) {
			if len(have[m.Name]) == 0 {
				break // nothing of it has happened
			}
			if !slices.Contains(have[m.Name], value) {
				wrong = append(wrong, fmt.Sprintf("%s is never %q, of %q", m.Name, value, have[m.Name]))
			}
		}
	}
	return wrong
}

// alternatives lists the values that a matcher of the form a|b or x_(a|b) names.
func alternatives(m *labels.Matcher) (all []string) {
	before, rest, grouped := strings.Cut(m.Value, "(")
	if !grouped {
		before, rest = "", m.Value
	}
	for _, v := range strings.Split(strings.TrimSuffix(rest, ")"), "|") {
		all = append(all, before+v)
	}
	return all
}

// observedFeed has stages of all kinds that count or measure something.
const observedFeed = `
name: observed
quarantine: {path: DIR/quarantine.db}
ledger: {path: DIR/ledger}
admin: {address: "ADMIN"}
otlp: {endpoint: "http://127.0.0.1:1", metrics: {interval: 1s}}
routes:
  ingest:
    source: {amqp: {url: "${AMQP}", queue: batches, declare: {exchange: {name: devices}, routingKeys: ["batches.#"]}}}
    transforms: [{unbatch: {cache: {path: DIR/batches.db}}}]
    sink:
      all:
        - amqp: {url: "${AMQP}", exchange: telemetry, declare: {name: telemetry}}
        - validator:
            path: DIR/validator
            expect: {cloudapi: {url: "${CLOUD}", oauth2: {clientId: validator, clientSecret: "${SECRET}"}}}
            window: 2s
            lateness: 1s
            every: 1s
            retention: 1h
  mqtt:
    source: {amqp: {url: "${AMQP}", queue: telemetry-mqtt, declare: {exchange: {name: telemetry}, routingKeys: ["#"]}}}
    transforms: [{bridge: {rules: [{match: "telemetry.{rest...}", topic: "kraft/{rest...}"}]}}]
    sink: {mqtt: {url: "${MQTT}"}}
  back:
    source: {mqtt: {url: "${MQTT}", clientId: back, topics: ["kraft/#"]}}
    sink: {blob: {url: "file://DIR/back", path: "{date}/{hash}"}}
  archive:
    source: {amqp: {url: "${AMQP}", queue: batches-stream, declare: {type: stream, exchange: {name: devices}, routingKeys: ["batches.#"], maxBytes: 1GB}}}
    sink: {blob: {url: "file://DIR/archive", path: "{date}/{hour}", exactlyOnce: true, envelope: full}}
`

// scrape runs a feed that carries readings of simulated devices, and returns what it
// and its RabbitMQ expose once the validator has judged something.
func scrape(t *testing.T) exposed {
	t.Helper()
	if testing.Short() {
		t.Skip("needs real servers, which a -short run does not start")
	}
	dir, rabbit, admin := t.TempDir(), freeAddress(t), freeAddress(t)
	_, port, _ := net.SplitHostPort(rabbit)
	node := testenv.PrivateRabbitMQ(t, testenv.WithRabbitMQPlugins("rabbitmq_prometheus"),
		testenv.WithRabbitMQSettings("prometheus.tcp.ip = 127.0.0.1", "prometheus.tcp.port = "+port))
	broker := testenv.Mosquitto(t)
	api, err := cloudapi.Start(cloudapi.Options{Listen: "127.0.0.1:0", Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	}()
	secret, err := os.ReadFile(cloudapi.SecretPath(api.Path(), "validator"))
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "feed")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/kraft-edge/datafeed/cmd/feed").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file := filepath.Join(dir, "feed.yaml")
	text := strings.NewReplacer("DIR", dir, "ADMIN", admin).Replace(observedFeed)
	for _, sub := range []string{"back", "archive"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environment := append(os.Environ(), "AMQP="+node.URL(), "MQTT="+broker.URL(), "CLOUD="+api.URL(), "SECRET="+strings.TrimSpace(string(secret)))
	stopFeed := started(t, environment, binary, "run", file)
	testenv.Eventually(t, time.Minute, "the feed to be ready", func() bool { return answers("http://" + admin + "/readyz") })
	stopDevices := started(t, environment, binary, "simulate", "--url", node.URL(), "--api", api.URL(), "--client-id", "device", "--client-secret-file",
		cloudapi.SecretPath(api.Path(), "device"), "--devices", "3", "--rate", "100", "--batch-every", "1s", "--chaos", "corrupt=5%")

	all := make(exposed)
	testenv.Eventually(t, 2*time.Minute, "the validator to judge a window, and RabbitMQ to count", func() bool {
		clear(all)
		all.add(t, "http://"+admin+"/metrics")
		for _, path := range monitored(t) {
			all.add(t, "http://"+rabbit+path)
		}
		return slices.Contains(all["datafeed_stage_value"]["name"], "completeness_ratio") && len(all["rabbitmq_detailed_queue_messages_bytes"]["queue"]) > 1 &&
			all["datafeed_messages_quarantined_total"] != nil
	})
	stopDevices()
	stopFeed()
	all.describe(t)
	return all
}

// monitored are the paths that are scraped of RabbitMQ.
func monitored(t *testing.T) (paths []string) {
	t.Helper()
	for _, m := range component(t).monitors {
		if m.Name == "datafeed-rabbitmq" {
			for _, e := range m.Spec.Endpoints {
				paths = append(paths, e.Path+"?"+url.Values(e.Params).Encode())
			}
		}
	}
	return paths
}

// add reads what a server exposes.
func (e exposed) add(t *testing.T, url string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %v", url, resp.Status, err)
	}
	for name, family := range families {
		if e[name] == nil {
			e[name] = make(map[string][]string)
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				e[name][l.GetName()] = append(e[name][l.GetName()], l.GetValue())
			}
		}
	}
}

// description is that of a metric by Prometheus' client library.
var description = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", .*variableLabels: \{([^}]*)\}\}$`)

// describe adds what a feed exposes of things that need not happen, such as messages
// that are filtered.
func (e exposed) describe(t *testing.T) {
	t.Helper()
	all := make(chan *prometheus.Desc, 100)
	metrics.Collector(nil).Describe(all)
	close(all)
	for d := range all {
		m := description.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("a description of another form: %s", d)
		}
		if e[m[1]] == nil {
			e[m[1]] = make(map[string][]string)
		}
		for label := range strings.SplitSeq(m[2], ",") {
			if e[m[1]][label] == nil {
				e[m[1]][label] = []string{}
			}
		}
	}
}

// started runs a process beside the test; what it returns stops the process, and
// waits for it.
func started(t *testing.T, environment []string, name string, args ...string) (stop func()) {
	t.Helper()
	var out strings.Builder
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment, io.Discard, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("%v\n%s", err, out.String())
		}
		<-ended
	}
}

func answers(url string) bool {
	resp, err := http.Get(url)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// freeAddress returns an address of this host that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}
