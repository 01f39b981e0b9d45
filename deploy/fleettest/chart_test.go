package fleettest

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"sigs.k8s.io/yaml"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
)

const chartDirectory = "../helm/datafeed"

// site is what every site must say.
const site = `
site:
  mqtt-url: mqtts://broker.example:8883
  blob-url: https://account.blob.core.windows.net/telemetry
  cloud-url: https://api.vendor.example
`

// siteOfBase says the same to kustomize.
const siteOfBase = `
configMapGenerator:
  - name: site
    namespace: st-one
    behavior: merge
    literals:
      - mqtt-url=mqtts://broker.example:8883
      - blob-url=https://account.blob.core.windows.net/telemetry
      - cloud-url=https://api.vendor.example
`

func TestTheChartRendersWhatKustomizeRenders(t *testing.T) {
	want := kustomized(t, `
resources: [../base]
images: [{name: datafeed, newTag: `+loadChart(t).AppVersion()+`}]
`+siteOfBase)
	got := rendered(t, site)
	dropHelms(t, got)
	compare(t, got, want)
}

// With the address of a collector the chart renders what the component otlp does.
func TestTheChartRendersTelemetry(t *testing.T) {
	want := kustomized(t, `
resources: [../base]
components: [../components/otlp]
images: [{name: datafeed, newTag: `+loadChart(t).AppVersion()+`}]
`+siteOfBase)
	got := rendered(t, site, "site: {otlp-endpoint: 'https://otel-collector.monitoring:4318'}")
	dropHelms(t, got)
	compare(t, got, want)
	if got["NetworkPolicy feed-to-collector"] == nil {
		t.Error("nothing lets feeds reach the collector")
	}
}

// A site in production, as its overlay has it and as values say it. Who watches it, and who makes its certificates, the
// chart does not say.
func TestTheChartRendersProduction(t *testing.T) {
	want := kustomized(t, `
resources: [../overlays/prod]
components: [../components/without-prometheus-operator, ../components/without-cert-manager]
configMapGenerator:
  - name: site
    namespace: st-one
    behavior: merge
    literals:
      - blob-url=https://account.blob.core.windows.net/telemetry
      - cloud-url=https://api.vendor.example
`)
	got := rendered(t, readFile(t, "testdata/production.yaml"), func(values map[string]any) {
		values["components"].(map[string]any)["bridge"].(map[string]any)["config"] = read(t, deploy.Tree(), "components/aio-mq/feed.yaml")
	})
	dropHelms(t, got)
	egress(t, got)
	egress(t, want)
	byName(got)
	byName(want)
	compare(t, got, want)
}

// byName sorts what Kubernetes knows by its name, and of which the order says nothing.
func byName(objects map[string]map[string]any) {
	for _, object := range objects {
		for _, pod := range []string{"spec.template.spec.", "spec.jobTemplate.spec.template.spec."} {
			for _, list := range []string{"volumes", "containers.0.env", "containers.0.volumeMounts"} {
				all, _ := at(object, pod+list).([]any)
				slices.SortFunc(all, func(a, b any) int {
					return strings.Compare(fmt.Sprint(at(a, "name")), fmt.Sprint(at(b, "name")))
				})
			}
		}
	}
}

// egress puts the rules of all policies that let a component out into one, named after it: the base and its components
// have several, the chart has others.
func egress(t *testing.T, objects map[string]map[string]any) {
	t.Helper()
	rules := map[string][]any{}
	for id, object := range objects {
		spec, _ := object["spec"].(map[string]any)
		if object["kind"] != "NetworkPolicy" || !reflect.DeepEqual(spec["policyTypes"], []any{"Egress"}) {
			continue
		}
		selected := selectedBy(spec["podSelector"].(map[string]any))
		if selected == nil {
			continue
		}
		for _, name := range selected {
			rules[name] = append(rules[name], spec["egress"].([]any)...)
		}
		delete(objects, id)
	}
	for name, all := range rules {
		if objects["Deployment "+name] == nil && objects["CronJob "+name] == nil {
			continue // a rule for what an overlay may add
		}
		slices.SortFunc(all, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		all = slices.CompactFunc(all, reflect.DeepEqual)
		objects["egress of "+name] = map[string]any{"rules": all}
	}
}

func selectedBy(selector map[string]any) []string {
	const name = "app.kubernetes.io/name"
	if labels, ok := selector["matchLabels"].(map[string]any); ok && labels[name] != nil {
		return []string{labels[name].(string)}
	}
	var names []string
	expressions, _ := selector["matchExpressions"].([]any)
	for _, expression := range expressions {
		e := expression.(map[string]any)
		if e["key"] == name && e["operator"] == "In" {
			for _, value := range e["values"].([]any) {
				names = append(names, value.(string))
			}
		}
	}
	return names
}

func TestValuesChangeWhatTheySay(t *testing.T) {
	base := rendered(t, site)
	for _, c := range []struct {
		values string
		object string
		path   string
		want   any
	}{
		{"image: {repository: r.example/feed, digest: 'sha256:" + strings.Repeat("ab", 32) + "'}", "Deployment bridge", "spec.template.spec.containers.0.image", "r.example/feed@sha256:" + strings.Repeat("ab", 32)},
		{"image: {tag: 1.2.3}", "CronJob validate", "spec.jobTemplate.spec.template.spec.containers.0.image", "datafeed:1.2.3"},
		{"imagePullSecrets: [{name: pull}]", "ServiceAccount archive", "imagePullSecrets.0.name", "pull"},
		{"nodeSelector: {a: b}", "Deployment ingest", "spec.template.spec.nodeSelector.a", "b"},
		{"tolerations: [{key: specialised}]", "CronJob validate", "spec.jobTemplate.spec.template.spec.tolerations.0.key", "specialised"},
		{"storageClassName: ssd", "PersistentVolumeClaim ingest-cache", "spec.storageClassName", "ssd"},
		{"volumeAnnotations: {helm.sh/resource-policy: null}", "PersistentVolumeClaim ingest-cache", `metadata.annotations.helm\.sh/resource-policy`, nil},
		{"components: {ingest: {storage: 9Gi}}", "PersistentVolumeClaim ingest-cache", "spec.resources.requests.storage", "9Gi"},
		{"components: {bridge: {config: 'name: other'}}", "ConfigMap bridge-config", `data.feed\.yaml`, "name: other"},
		{"components: {bridge: {credentials: {name: mine}}}", "Deployment bridge", "spec.template.spec.volumes.1.secret.secretName", "mine"},
		{"components: {bridge: {credentials: {keys: [a]}}}", "Deployment bridge", "spec.template.spec.volumes.1.secret.items", []any{map[string]any{"key": "a", "path": "a"}}},
		{"components: {bridge: {resources: {requests: {cpu: 1m}, limits: {}}}}", "Deployment bridge", "spec.template.spec.containers.0.resources.requests.cpu", "1m"},
		{"components: {archive: {serviceAccount: {annotations: {a: b}}}}", "ServiceAccount archive", "metadata.annotations.a", "b"},
		{"components: {archive: {podLabels: {a: b}}}", "Deployment archive", "spec.template.metadata.labels.a", "b"},
		{"components: {archive: {podAnnotations: {a: b}}}", "Deployment archive", "spec.template.metadata.annotations.a", "b"},
		{"env: [{name: NO_PROXY, value: .svc}]", "Deployment ingest", "spec.template.spec.containers.0.env.0.name", "NO_PROXY"},
		{"components: {bridge: {env: [{name: A, value: b}]}}", "Deployment bridge", "spec.template.spec.containers.0.env.1.name", "A"},
		{"components: {bridge: {volumes: [{name: v, emptyDir: {}}]}}", "Deployment bridge", "spec.template.spec.volumes.4.name", "v"},
		{"components: {bridge: {volumeMounts: [{name: v, mountPath: /v}]}}", "Deployment bridge", "spec.template.spec.containers.0.volumeMounts.4.mountPath", "/v"},
		{"components: {bridge: {egress: [{ports: [{port: 8883}]}]}}", "NetworkPolicy bridge-egress", "spec.egress.0.ports.0.port", 8883.0},
		{"components: {validate: {schedule: 0 3 * * *}}", "CronJob validate", "spec.schedule", "0 3 * * *"},
		{"components: {validate: {enabled: false}}", "CronJob validate", "", nil},
		{"networkPolicies: false", "NetworkPolicy default-deny", "", nil},
		{"site: {mqtt-url: mqtt://other:1883}", "ConfigMap site", "data.mqtt-url", "mqtt://other:1883"},
		{"site: {otlp-endpoint: 'https://collector.example:4318'}", "ConfigMap site", "data.otlp-endpoint", "https://collector.example:4318"},
		{"site: {otlp-endpoint: 'https://collector.example:4318'}\nnetworkPolicies: false", "NetworkPolicy feed-metrics", "", nil},
	} {
		t.Run(c.values, func(t *testing.T) {
			if before := at(base[c.object], c.path); reflect.DeepEqual(before, c.want) {
				t.Fatalf("%s %s is %v without it", c.object, c.path, before)
			}
			if got := at(rendered(t, site, c.values)[c.object], c.path); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s %s is %v, want %v", c.object, c.path, got, c.want)
			}
		})
	}
}

// A pod reads its configuration when it starts: it must be another pod when the configuration is another one.
func TestPodsAreReplacedWhenTheirConfigurationChanges(t *testing.T) {
	const sum = `spec.template.metadata.annotations.checksum/config`
	before := rendered(t, site)
	for what, c := range map[string]struct {
		values string
		want   []string // Deployments with another checksum
	}{
		"nothing":       {"image: {tag: '9'}", nil},
		"one's own":     {"components: {bridge: {config: 'name: other'}}", []string{"bridge"}},
		"the addresses": {"site: {mqtt-url: mqtt://other:1883}", []string{"archive", "bridge", "ingest", "validator"}},
	} {
		after := rendered(t, site, c.values)
		var changed []string
		for _, name := range []string{"archive", "bridge", "ingest", "validator"} {
			a, b := at(before["Deployment "+name], sum), at(after["Deployment "+name], sum)
			if a == nil || b == nil {
				t.Fatalf("%s has no checksum", name)
			}
			if a != b {
				changed = append(changed, name)
			}
		}
		if !slices.Equal(changed, c.want) {
			t.Errorf("%s changes: other pods of %q, want %q", what, changed, c.want)
		}
	}
}

func TestWrongValuesAreRefused(t *testing.T) {
	for _, c := range []struct{ values, want string }{
		{"", "site.blob-url is not set, which archive needs: set it, or components.archive.enabled=false"},
		{"site: {mqtt-url: 'mqtt://b:1', blob-url: 'https://a/b'}", "site.cloud-url is not set, which validat"},
		{"site: {mqtt-url: 'amqp://b:1'}", "mqtt-url"},
		{"site: {otlp-endpoint: 'http://b:4318'}", "otlp-endpoint"},
		{"site: {mqtt-uri: 'mqtt://b:1'}", "mqtt-uri"},
		{"image: {digest: 'sha256:1'}", "digest"},
		{"components: {bridge: {enable: false}}", "enable"},
		{"components: {bridge: {enabled: 'yes'}}", "enabled"},
		{"components: {bridge: {resources: {limits: {}}}}", "requests"},
		{"components: {ingest: {storage: 9GB}}", "storage"},
		{"components: {validate: {storage: 9Gi}}", "storage"},
		{"components: {other: {enabled: true}}", "other"},
	} {
		t.Run(c.values, func(t *testing.T) {
			_, err := render(loadChart(t), merged(t, c.values))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, without %q", err, c.want)
			}
		})
	}
}

func TestTheReadmesValuesAreTaken(t *testing.T) {
	readme := readFile(t, chartDirectory+"/README.md")
	_, block, _ := strings.Cut(readme, "```yaml\n")
	block, _, found := strings.Cut(block, "```")
	if !found {
		t.Fatal("the README has no values")
	}
	all := rendered(t, strings.Replace(block, "sha256:…", "sha256:"+strings.Repeat("0", 64), 1))
	if all["Deployment bridge"] == nil || all["Deployment ingest"] != nil || all["NetworkPolicy bridge-egress"] == nil {
		t.Errorf("the README's values make %v", slices.Sorted(maps.Keys(all)))
	}
	reaches(t, all)
}

func TestHelmHasNothingToSayAgainstTheChart(t *testing.T) {
	result := lint.AllWithKubeVersion(chartDirectory, merged(t, site), "st-one", nil)
	for _, message := range result.Messages {
		if message.Severity >= support.WarningSev {
			t.Error(message)
		}
	}
}

// dropHelms takes away the annotations that only Helm needs, after it has seen that they are there: volumes are kept, and
// pods have a checksum where kustomize has one in the names of ConfigMaps.
func dropHelms(t *testing.T, objects map[string]map[string]any) {
	t.Helper()
	for id, object := range objects {
		switch object["kind"] {
		case "PersistentVolumeClaim":
			dropAnnotation(t, id, at(object, "metadata"), "helm.sh/resource-policy")
		case "Deployment":
			dropAnnotation(t, id, at(object, "spec.template.metadata"), "checksum/config")
		case "CronJob":
			dropAnnotation(t, id, at(object, "spec.jobTemplate.spec.template.metadata"), "checksum/config")
		}
	}
}

func dropAnnotation(t *testing.T, id string, metadata any, name string) {
	t.Helper()
	annotations, _ := at(metadata, "annotations").(map[string]any)
	if annotations[name] == nil {
		t.Errorf("%s has no annotation %s", id, name)
		return
	}
	delete(annotations, name)
	if len(annotations) == 0 {
		delete(metadata.(map[string]any), "annotations")
	}
}

// compare says, object by object, where the chart's differ from those of kustomize.
func compare(t *testing.T, got, want map[string]map[string]any) {
	t.Helper()
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if got[id] == nil {
			t.Errorf("the chart has no %s", id)
		} else if !reflect.DeepEqual(got[id], want[id]) {
			t.Errorf("%s differs:\n%s", id, cmp.Diff(want[id], got[id]))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(got)) {
		if want[id] == nil {
			t.Errorf("the chart has %s, kustomize has not", id)
		}
	}
}

// rendered is what Helm makes of the chart, by kind and name.
func rendered(t *testing.T, values ...any) map[string]map[string]any {
	t.Helper()
	var texts []string
	var changes []func(map[string]any)
	for _, v := range values {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case func(map[string]any):
			changes = append(changes, v)
		}
	}
	all := merged(t, texts...)
	for _, change := range changes {
		change(all)
	}
	stream, err := render(loadChart(t), all)
	if err != nil {
		t.Fatal(err)
	}
	return byKindAndName(t, stream)
}

func render(c *chart.Chart, values map[string]any) ([]byte, error) {
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "datafeed", Namespace: "st-one", IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Engine{Strict: true}.Render(c, all)
	if err != nil {
		return nil, err
	}
	if notes := files[path.Join(c.Name(), "templates/NOTES.txt")]; !strings.Contains(notes, "-credentials") {
		return nil, fmt.Errorf("the notes name no Secret:\n%s", notes)
	}
	return []byte(files[path.Join(c.Name(), "templates/objects.yaml")]), nil
}

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(chartDirectory)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// merged are values one upon the other, as Helm takes several files.
func merged(t *testing.T, texts ...string) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, text := range texts {
		values := map[string]any{}
		if err := yaml.UnmarshalStrict([]byte(text), &values); err != nil {
			t.Fatal(err)
		}
		all = chartutil.MergeTables(values, all)
	}
	return all
}

// kustomized is what kustomize makes of the tree with a kustomization of the test's own: those objects that the chart has.
func kustomized(t *testing.T, kustomization string) map[string]map[string]any {
	t.Helper()
	tree := fstest.MapFS{"site/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n" + kustomization)}}
	err := fs.WalkDir(deploy.Tree(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		tree[name] = &fstest.MapFile{Data: []byte(read(t, deploy.Tree(), name))}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := kube.Render(tree, "site")
	if err != nil {
		t.Fatal(err)
	}
	var stream strings.Builder
	var plain []string
	for _, object := range objects {
		if m := hashed.FindStringSubmatch(object.Name); object.Kind == "ConfigMap" && m != nil {
			plain = append(plain, object.Name, m[1])
		}
	}
	if err := kube.Write(&stream, objects); err != nil {
		t.Fatal(err)
	}
	all := byKindAndName(t, []byte(strings.NewReplacer(plain...).Replace(stream.String())))
	maps.DeleteFunc(all, func(id string, _ map[string]any) bool { return notTheFeeds.MatchString(id) })
	return all
}

// hashed is a name that ends with the hash of its content.
var hashed = regexp.MustCompile(`^(.*)-[a-z0-9]{10}$`)

// notTheFeeds are objects of the namespace, the broker and the database, and of who reaches them: not the chart's.
var notTheFeeds = regexp.MustCompile(`^(Namespace|StatefulSet) |(rabbitmq|postgres|devices)(-config)?$`)

func byKindAndName(t *testing.T, stream []byte) map[string]map[string]any {
	t.Helper()
	objects, err := kube.Parse(stream)
	if err != nil {
		t.Fatalf("%v\n%s", err, stream)
	}
	all := map[string]map[string]any{}
	for _, object := range objects {
		var decoded map[string]any
		if err := yaml.UnmarshalStrict(object.YAML, &decoded); err != nil {
			t.Fatalf("%s: %v", object.ID(), err)
		}
		if object.Namespace != "st-one" && object.Kind != "Namespace" {
			t.Errorf("%s is in another namespace", object.ID())
		}
		sortVolumes(decoded)
		id := object.Kind + " " + object.Name
		if all[id] != nil {
			t.Errorf("%s is rendered twice", id)
		}
		all[id] = decoded
	}
	return all
}

// sortVolumes puts volumes, and where they are mounted, in the order of their names: theirs means nothing.
func sortVolumes(object any) {
	switch o := object.(type) {
	case map[string]any:
		for key, value := range o {
			if list, ok := value.([]any); ok && (key == "volumes" || key == "volumeMounts") {
				slices.SortFunc(list, func(a, b any) int {
					return strings.Compare(a.(map[string]any)["name"].(string), b.(map[string]any)["name"].(string))
				})
			}
			sortVolumes(value)
		}
	case []any:
		for _, item := range o {
			sortVolumes(item)
		}
	}
}

// at follows a path into an object: keys, and indexes of lists.
func at(object any, path string) any {
	if path == "" {
		if object, ok := object.(map[string]any); ok && object == nil {
			return nil
		}
		return object
	}
	for _, part := range split(path) {
		switch o := object.(type) {
		case map[string]any:
			object = o[part]
		case []any:
			i := 0
			if _, err := fmt.Sscan(part, &i); err != nil || i >= len(o) {
				return nil
			}
			object = o[i]
		default:
			return nil
		}
	}
	return object
}

// split cuts at dots, but for those behind a backslash.
func split(path string) []string {
	var parts []string
	for _, part := range strings.Split(strings.ReplaceAll(path, `\.`, "\x00"), ".") {
		parts = append(parts, strings.ReplaceAll(part, "\x00", "."))
	}
	return parts
}

func read(t *testing.T, tree fs.FS, name string) string {
	t.Helper()
	content, err := fs.ReadFile(tree, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
