package apitest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
)

func testOverlays(t *testing.T, c *cluster) {
	sites, err := kube.Sites(deploy.Tree())
	if err != nil {
		t.Fatal(err)
	}
	if len(sites) < 6 {
		t.Errorf("there are %d overlays: %v", len(sites), sites)
	}
	for _, site := range sites {
		t.Run(site, func(t *testing.T) { testOverlay(t, c, site, "") })
	}
}

// In a cluster that has no operator with kinds of its own there is poc, and a plant that leaves out what needs one.
func testPlainCluster(t *testing.T, c *cluster) {
	without, err := fs.Glob(deploy.Tree(), "components/without-*")
	if err != nil {
		t.Fatal(err)
	}
	leftOut := "components: [../" + strings.Join(without, ", ../") + "]\n"
	t.Run("poc", func(t *testing.T) { testOverlay(t, c, "poc", "") })
	t.Run("prod", func(t *testing.T) { testOverlay(t, c, "prod", leftOut) })
}

// A site is tried and applied as docs/deploy.md says, in a cluster in which nothing of it is, upgraded, and put back to what it
// was.
func testOverlay(t *testing.T, c *cluster, site, additions string) {
	first := render(t, site, additions)
	second := render(t, site, additions+upgrade(t, first))
	defer c.remove(t, first, second)

	c.createNamespaces(t, namespace)
	for _, o := range first {
		if refusal := c.apply(t, o, "dryRun=All").refusal(); refusal != "" {
			t.Errorf("%s is refused when it is tried: %s", o.ID(), refusal)
		}
	}
	before := c.acceptsAll(t, first)
	testPods(t, c, first)
	testRights(t, c, first)

	after := c.acceptsAll(t, second)
	if len(after) != len(before) {
		t.Errorf("it has %d objects, and %d after the upgrade", len(before), len(after))
	}
	for i, o := range second {
		was, is := at(before[i], "metadata", "generation"), at(after[i], "metadata", "generation")
		if podTemplate(after[i]) != nil && was == is {
			t.Errorf("%s is still of generation %v after the upgrade", o.ID(), is)
		}
	}
	c.acceptsAll(t, first)
}

// upgrade adds other images, and another value in a ConfigMap.
func upgrade(t *testing.T, objects []kube.Object) string {
	t.Helper()
	var images []string
	for _, o := range objects {
		for _, container := range containers(podTemplate(fields(t, o))) {
			image, _, _ := strings.Cut(at(container, "image").(string), "@")
			// What follows a colon after the last slash is a tag, and before it a port.
			if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
				image = image[:i]
			}
			images = append(images, "  - {name: "+image+", newTag: upgraded}\n")
		}
	}
	slices.Sort(images)
	return "images:\n" + strings.Join(slices.Compact(images), "") + `configMapGenerator:
  - {name: site, namespace: ` + namespace + `, behavior: merge, literals: [cloud-url=https://upgraded.example]}
`
}

// render renders an overlay with additions, as a kustomization of its own says them.
func render(t *testing.T, site, additions string) []kube.Object {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, deploy.Tree()); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "added"), 0o755); err != nil {
		t.Fatal(err)
	}
	kustomization := fmt.Sprintf("resources: [../overlays/%s]\n%s", site, additions)
	if err := os.WriteFile(filepath.Join(dir, "added/kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		t.Fatal(err)
	}
	objects, err := kube.Render(os.DirFS(dir), "added")
	if err != nil {
		t.Fatal(err)
	}
	return objects
}
