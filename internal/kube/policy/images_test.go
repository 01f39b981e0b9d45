package policy

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// The list of images has those that the overlays use, and no others.
func TestListOfImages(t *testing.T) {
	text, err := os.ReadFile("../../../deploy/images.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Images []struct{ Repository, Upstream, License, Purpose string }
	}
	if err := yaml.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	listed, used := map[string]bool{}, map[string]bool{}
	for _, image := range list.Images {
		if image.License == "" || image.Purpose == "" {
			t.Errorf("%s has no license or no purpose", image.Upstream)
		}
		listed[image.Upstream] = true
		if image.Repository != "" {
			listed[image.Repository] = true
		}
	}
	for overlay := range further {
		for _, w := range site.Sorted(mustRead(t, rendered(t, overlay)).Workloads) {
			for _, c := range w.Containers() {
				name := c.Image
				if registry, rest, ok := strings.Cut(name, "/"); ok && strings.HasSuffix(registry, ".azurecr.io") {
					name, _, _ = strings.Cut(rest, "@")
				}
				used[name] = true
			}
		}
	}
	if got, want := slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(listed)); !slices.Equal(got, want) {
		t.Errorf("the overlays use\n%s\nthe list has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
