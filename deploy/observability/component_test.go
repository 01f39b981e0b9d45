package observability

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
	"github.com/kraft-edge/datafeed/internal/kube/typed"
)

// plant is prod with the component, as it ships, and without, as a site has it whose
// cluster has no Prometheus operator.
var plant = sync.OnceValues(func() (objects struct{ with, without []kube.Object }, err error) {
	tree := fstest.MapFS{"overlays/plain/kustomization.yaml": {Data: []byte(
		"resources: [../prod]\ncomponents: [../../components/without-prometheus-operator]\n")}}
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
	if objects.with, err = kube.Render(tree, "overlays/prod"); err != nil {
		return objects, err
	}
	objects.without, err = kube.Render(tree, "overlays/plain")
	return objects, err
})

// added is what the component adds to a plant.
func added(t *testing.T) []kube.Object {
	t.Helper()
	objects, err := plant()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(slices.Clone(objects.with), func(o kube.Object) bool {
		return slices.ContainsFunc(objects.without, func(other kube.Object) bool { return other.ID() == o.ID() })
	})
}

// TestALineLeavesItOut: what a site has without the component is what it has with it,
// but for what it adds, none of which the cluster must know.
func TestALineLeavesItOut(t *testing.T) {
	objects, err := plant()
	if err != nil {
		t.Fatal(err)
	}
	if n, m := len(objects.with)-len(objects.without), len(added(t)); n != m || m != 4 {
		t.Errorf("%d objects less, of %d that are added", n, m)
	}
	for _, o := range objects.without {
		if strings.HasPrefix(o.APIVersion, "monitoring.coreos.com/") || strings.Contains(o.Name, "dashboard") {
			t.Errorf("%s is left", o.ID())
		}
		if !slices.ContainsFunc(objects.with, func(other kube.Object) bool { return bytes.Equal(other.YAML, o.YAML) }) {
			t.Errorf("%s is another one", o.ID())
		}
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
	rules      typed.RuleFile
	monitors   []*typed.PodMonitor
	dashboards map[string]dashboard
}

func component(t *testing.T) observability {
	t.Helper()
	found := observability{dashboards: make(map[string]dashboard)}
	for _, o := range added(t) {
		value, err := typed.Decode(o)
		if err != nil {
			t.Fatal(err)
		}
		switch v := value.(type) {
		case *typed.PrometheusRule:
			found.rules.Groups = append(found.rules.Groups, v.Spec.Groups...)
		case *typed.PodMonitor:
			found.monitors = append(found.monitors, v)
		case *corev1.ConfigMap:
			if v.Labels["grafana_dashboard"] != "1" || v.Namespace != "st-one" {
				t.Errorf("%s: no Grafana looks for it: %v", o.ID(), v.Labels)
			}
			for name, text := range v.Data {
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
