package gitops_test

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
)

// The clusters' directories hold the site's name and its revision, and nothing that another site has as well.
func TestASiteDiffersInNameAndRevisionAlone(t *testing.T) {
	tree := os.DirFS(".")
	var all [][]kube.Object
	for _, site := range []string{"site-example-a", "site-example-b"} {
		objects, err := kube.Render(tree, "flux/clusters/"+site)
		if err != nil {
			t.Fatal(err)
		}
		for i := range objects {
			objects[i].YAML = bytes.ReplaceAll(objects[i].YAML, []byte(site), []byte("SITE"))
		}
		all = append(all, objects)
	}
	if !reflect.DeepEqual(all[0], all[1]) {
		t.Errorf("the sites differ in more than their names:\n%s\n%s", all[0], all[1])
	}
}

// What may go wrong in the GitOps repository is seen by the comparison with what kustomize builds.
func TestAMistakeInTheRepositoryIsSeen(t *testing.T) {
	config := deploy.Tree()
	want, err := kube.Render(config, "overlays/site-example-a")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, file, from, to, want string }{
		{"a volume that is pruned", "flux/fleet/datafeed.yaml", "Namespace|PersistentVolumeClaim", "Namespace", "may be deleted"},
		{"a volume that is pruned", "argocd/applicationset.yaml", "Namespace|PersistentVolumeClaim", "Namespace", "may be deleted"},
		{"a patch of more", "flux/fleet/datafeed.yaml", "Namespace|PersistentVolumeClaim", "Namespace|PersistentVolumeClaim|Service", "is not what kustomize builds"},
		{"another site's overlay", "flux/clusters/site-example-a/kustomization.yaml", "./overlays/site-example-a", "./overlays/site-example-b", "is not what kustomize builds"},
		{"another site's overlay", "argocd/sites/site-example-a.yaml", "site: site-example-a", "site: site-example-b", "the Application is called"},
		{"no site", "argocd/sites/site-example-a.yaml", "site:", "sight:", "no entry for key"},
		{"no tag", "flux/clusters/site-example-a/kustomization.yaml", "/spec/ref/tag", "/spec/ref/branch", "a tag alone"},
		{"an old API", "flux/fleet/datafeed.yaml", "kustomize.toolkit.fluxcd.io/v1\n", "kustomize.toolkit.fluxcd.io/v1beta2\n", ""},
	} {
		t.Run(c.what+" in "+c.file, func(t *testing.T) {
			tree, err := copied(os.DirFS("."))
			if err != nil {
				t.Fatal(err)
			}
			damaged := strings.Replace(string(tree[c.file].Data), c.from, c.to, 1)
			if damaged == string(tree[c.file].Data) {
				t.Fatalf("%q is not in the file", c.from)
			}
			tree[c.file] = &fstest.MapFile{Data: []byte(damaged)}
			assignments := fluxAssignments
			if strings.HasPrefix(c.file, "argocd") {
				assignments = argoAssignments
			}
			var problems []string
			all, err := assignments(tree)
			if err != nil {
				problems = []string{err.Error()}
			}
			for _, a := range all {
				if a.site != "site-example-a" {
					continue
				}
				got, err := a.render(config)
				if err != nil {
					t.Fatal(err)
				}
				problems = append(problems, differences(got, want)...)
			}
			if len(problems) == 0 || !strings.Contains(strings.Join(problems, "\n"), c.want) {
				t.Errorf("%q is not seen: %q", c.want, problems)
			}
		})
	}
}
