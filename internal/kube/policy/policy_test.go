package policy

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
	"github.com/kraft-edge/datafeed/internal/kube/site"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// further are the rules that hold for some overlays, besides those for all.
var further = map[string]map[string]Rule{
	"poc":            {"images": PublicImages, "kinds": BuiltInKinds},
	"aio":            {"images": PublicImages, "token": BrokerToken, "monitored": Monitored},
	"prod":           {"images": CustomerImages, "token": BrokerToken, "identity": WorkloadIdentity, "specialised": Specialised, "monitored": Monitored, "encrypted": Encrypted},
	"mosquitto":      {"images": CustomerImages, "identity": WorkloadIdentity, "specialised": Specialised, "monitored": Monitored, "encrypted": Encrypted},
	"site-example-a": {"images": CustomerImages, "token": BrokerToken, "identity": WorkloadIdentity, "specialised": Specialised, "monitored": Monitored, "encrypted": Encrypted},
	"site-example-b": {"images": CustomerImages, "identity": WorkloadIdentity, "specialised": Specialised, "monitored": Monitored, "encrypted": Encrypted},
}

// rendered returns the objects of an overlay, which is rendered once.
func rendered(t *testing.T, overlay string) []kube.Object {
	t.Helper()
	objects, err := renderings[overlay]()
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

var renderings = func() map[string]func() ([]kube.Object, error) {
	all := map[string]func() ([]kube.Object, error){}
	for overlay := range further {
		all[overlay] = sync.OnceValues(func() ([]kube.Object, error) { return kube.Render(deploy.Tree(), "overlays/"+overlay) })
	}
	return all
}()

func mustRead(t *testing.T, objects []kube.Object) *site.Site {
	t.Helper()
	s, err := site.New("st-one", objects)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rules are all that hold for an overlay.
func rules(overlay string) map[string]Rule {
	all := maps.Clone(All)
	maps.Copy(all, further[overlay])
	return all
}

func TestOverlaysKeepTheRules(t *testing.T) {
	directories, err := fs.ReadDir(deploy.Tree(), "overlays")
	if err != nil {
		t.Fatal(err)
	}
	if len(directories) != len(further) {
		t.Errorf("there are %d overlays, and rules for %d", len(directories), len(further))
	}
	for _, directory := range directories {
		overlay := directory.Name()
		s := mustRead(t, rendered(t, overlay))
		for name, rule := range rules(overlay) {
			for _, breach := range rule(s) {
				t.Errorf("%s, %s: %s", overlay, name, breach)
			}
		}
	}
}

// broken returns what all rules say of objects.
func broken(overlay string, objects []kube.Object) string {
	s, err := site.New("st-one", objects)
	if err != nil {
		return err.Error()
	}
	var said []string
	for _, name := range slices.Sorted(maps.Keys(rules(overlay))) {
		for _, breach := range rules(overlay)[name](s) {
			said = append(said, name+": "+breach)
		}
	}
	return strings.Join(said, "\n")
}
