package observability

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
)

// site is that of a plant, rendered once for all tests: without the component, and
// what the component adds.
var site = sync.OnceValues(func() (objects struct{ without, added []kube.Object }, err error) {
	tree := fstest.MapFS{"overlays/observed/kustomization.yaml": {Data: []byte(
		"resources: [../prod]\ncomponents: [../../components/observability]\n")}}
	shipped := deploy.Tree()
	if err := fs.WalkDir(shipped, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(shipped, name)
		tree[name] = &fstest.MapFile{Data: data}
		return err
	}); err != nil {
		return objects, err
	}
	if objects.without, err = kube.Render(tree, "overlays/prod"); err != nil {
		return objects, err
	}
	with, err := kube.Render(tree, "overlays/observed")
	objects.added = slices.DeleteFunc(with, func(o kube.Object) bool {
		return slices.ContainsFunc(objects.without, func(other kube.Object) bool { return other.ID() == o.ID() })
	})
	return objects, err
})

func rendered(t *testing.T) (without, added []kube.Object) {
	t.Helper()
	objects, err := site()
	if err != nil {
		t.Fatal(err)
	}
	return objects.without, objects.added
}

// decode reads an object into a type; a field that the type lacks is an error.
func decode(t *testing.T, o kube.Object, out any) {
	t.Helper()
	d := yaml.NewDecoder(bytes.NewReader(o.YAML))
	d.KnownFields(true)
	if err := d.Decode(out); err != nil {
		t.Fatalf("%s: %v", o.ID(), err)
	}
}

// header is what all objects have.
type header struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name, Namespace string
		Labels          map[string]string
	}
}

// prometheusRule and podMonitor have of the Prometheus operator's types what the
// component uses; what stands in spec.groups Prometheus itself checks.
type prometheusRule struct {
	header `yaml:",inline"`
	Spec   ruleFile
}

type ruleFile struct {
	Groups []group `yaml:"groups"`
}

type group struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type rule struct {
	Alert       string            `yaml:"alert,omitempty"`
	Record      string            `yaml:"record,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

type podMonitor struct {
	header `yaml:",inline"`
	Spec   struct {
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		}
		Endpoints []struct {
			Port, Path, Interval string
			ScrapeTimeout        string `yaml:"scrapeTimeout"`
			Params               url.Values
		} `yaml:"podMetricsEndpoints"`
	}
}

// dashboard is what is read of one.
type dashboard struct {
	UID, Title string
	Templating struct {
		List []struct {
			Name  string
			Query any
		}
	}
	Panels []struct {
		ID      int
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr string }
	}
}

// observability is all that the component has.
type observability struct {
	rules      ruleFile
	monitors   []podMonitor
	dashboards map[string]dashboard
}

func component(t *testing.T) observability {
	t.Helper()
	found := observability{dashboards: make(map[string]dashboard)}
	_, added := rendered(t)
	for _, o := range added {
		switch o.APIVersion + " " + o.Kind {
		case "monitoring.coreos.com/v1 PrometheusRule":
			var r prometheusRule
			decode(t, o, &r)
			found.rules.Groups = append(found.rules.Groups, r.Spec.Groups...)
		case "monitoring.coreos.com/v1 PodMonitor":
			var m podMonitor
			decode(t, o, &m)
			found.monitors = append(found.monitors, m)
		case "v1 ConfigMap":
			var c struct {
				header `yaml:",inline"`
				Data   map[string]string
			}
			decode(t, o, &c)
			if c.Metadata.Labels["grafana_dashboard"] != "1" || c.Metadata.Namespace != "st-one" {
				t.Errorf("%s: no Grafana looks for it: %v", o.ID(), c.Metadata)
			}
			for name, text := range c.Data {
				var d dashboard
				if err := json.Unmarshal([]byte(text), &d); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				found.dashboards[name] = d
			}
		default:
			t.Errorf("%s: what is it for?", o.ID())
		}
	}
	if len(found.rules.Groups) == 0 || len(found.monitors) != 2 || len(found.dashboards) != 3 {
		t.Fatalf("%d groups of rules, %d monitors, %d dashboards", len(found.rules.Groups), len(found.monitors), len(found.dashboards))
	}
	return found
}

// TestMonitorsMeetPods: each monitor selects a workload of the site by the labels of
// its pods, and names one of their ports.
func TestMonitorsMeetPods(t *testing.T) {
	type workload struct {
		Spec struct {
			Template struct {
				Metadata struct{ Labels map[string]string }
				Spec     struct {
					Containers []struct{ Ports []struct{ Name string } }
				}
			}
		}
	}
	var all []workload
	without, _ := rendered(t)
	for _, o := range without {
		var w workload
		if err := yaml.Unmarshal(o.YAML, &w); err == nil && o.Kind != "Job" && o.Kind != "CronJob" {
			all = append(all, w)
		}
	}
	for _, m := range component(t).monitors {
		met := 0
	workloads:
		for _, w := range all {
			for k, v := range m.Spec.Selector.MatchLabels {
				if w.Spec.Template.Metadata.Labels[k] != v {
					continue workloads
				}
			}
			ports := make(map[string]bool)
			for _, c := range w.Spec.Template.Spec.Containers {
				for _, p := range c.Ports {
					ports[p.Name] = true
				}
			}
			for _, e := range m.Spec.Endpoints {
				if !ports[e.Port] {
					t.Errorf("%s: %v has no port %s", m.Metadata.Name, w.Spec.Template.Metadata.Labels, e.Port)
				}
			}
			met++
		}
		if met == 0 {
			t.Errorf("%s meets no pod", m.Metadata.Name)
		}
	}
}

// TestDashboardsFit: panels have numbers of their own, lie within the 24 columns and
// not on each other, and each has a title and asks for something.
func TestDashboardsFit(t *testing.T) {
	uids := make(map[string]bool)
	for name, d := range component(t).dashboards {
		if d.UID == "" || uids[d.UID] || !strings.HasPrefix(d.Title, "datafeed") {
			t.Errorf("%s: uid %q, title %q", name, d.UID, d.Title)
		}
		uids[d.UID] = true
		ids, taken := make(map[int]bool), make(map[[2]int]int)
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
				t.Errorf("%s: panel %d %q with %d queries", name, p.ID, p.Title, len(p.Targets))
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != 0 || x > 23 {
						t.Fatalf("%s: panel %d lies on %d, or beyond the edge, at %d, %d", name, p.ID, other, x, y)
					}
					taken[[2]int{x, y}] = p.ID
				}
			}
		}
	}
}
