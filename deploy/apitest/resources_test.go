package apitest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kraft-edge/datafeed/internal/kube"
)

func testGitOps(t *testing.T, c *cluster) {
	tree := os.DirFS("../gitops")
	for _, cluster := range matches(t, "../gitops/flux/clusters/*") {
		t.Run(filepath.Base(cluster), func(t *testing.T) {
			objects, err := kube.Render(tree, "flux/clusters/"+filepath.Base(cluster))
			if err != nil {
				t.Fatal(err)
			}
			defer c.remove(t, objects)
			c.acceptsAll(t, objects)
		})
	}
	t.Run("argocd", func(t *testing.T) {
		objects, err := kube.ReadRendered("../gitops/argocd")
		if err != nil {
			t.Fatal(err)
		}
		defer c.remove(t, objects)
		c.acceptsAll(t, objects)
	})
}

func testAzureIoTOperations(t *testing.T, c *cluster) {
	var objects []kube.Object
	for _, file := range matches(t, "../azure/aio/*.yaml") {
		if filepath.Base(file) != "crds.yaml" {
			objects = append(objects, read(t, file)...)
		}
	}
	defer c.remove(t, objects)
	c.acceptsAll(t, objects)
}
