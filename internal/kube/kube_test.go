package kube

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func tree(files ...string) fstest.MapFS {
	all := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		all[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return all
}

func TestRenderBuildsOneTreeOnAnother(t *testing.T) {
	all, err := Render(tree(
		"base/kustomization.yaml", "resources: [account.yaml]\nconfigMapGenerator: [{name: settings, files: [a.conf]}]\n",
		"base/a.conf", "key = 1\n",
		"base/account.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: feed}\nimagePullSecrets: [{name: a}]\n",
		"site/kustomization.yaml", "namespace: plant\nresources: [../base]\n",
	), "site")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, object := range all {
		ids = append(ids, object.ID())
	}
	if len(ids) != 2 || ids[0] != "v1 ServiceAccount plant/feed" || !strings.HasPrefix(ids[1], "v1 ConfigMap plant/settings-") {
		t.Fatalf("rendered %q", ids)
	}
	var stream bytes.Buffer
	if err := Write(&stream, all); err != nil {
		t.Fatal(err)
	}
	again, err := Parse(stream.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if i >= len(again) || again[i].ID() != all[i].ID() || !bytes.Equal(again[i].YAML, all[i].YAML) {
			t.Fatalf("written as\n%s\nread as %v", stream.Bytes(), again)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"an address":                      {tree("site/kustomization.yaml", "resources: ['https://example.invalid/a.git//base?ref=v1']\n"), "site/kustomization.yaml: https://example.invalid/a.git//base?ref=v1 is not in the tree"},
		"an address further down":         {tree("site/kustomization.yaml", "resources: [../base]\n", "base/kustomization.yaml", "components: ['git@example.invalid:a/b']\n"), "base/kustomization.yaml: git@example.invalid:a/b is not in the tree"},
		"a directory that is not there":   {tree("a/kustomization.yaml", ""), "site has no kustomization.yaml"},
		"a file outside of the directory": {tree("site/kustomization.yaml", "configMapGenerator: [{name: a, files: [../b]}]\n", "b", ""), "is not in or below"},
		"an unknown field":                {tree("site/kustomization.yaml", "resource: [a.yaml]\n"), "resource"},
		"an empty kustomization":          {tree("site/kustomization.yaml", "namespace: a\n"), "kustomization"},
		"a resource that is not there":    {tree("site/kustomization.yaml", "resources: [../base]\n"), "base"},
		"a patch that meets no object":    {tree("site/kustomization.yaml", "resources: [a.yaml]\npatches: [{target: {kind: Pod}, path: p.yaml}, {path: p.yaml}]\n", "site/a.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: feed}\n", "site/p.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: other}\n"), "other"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := Render(test.files, "site")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v and the error %v, wants one with %q", all, err, test.want)
			}
		})
	}
}

func TestParseRefusesWhatIsNoObject(t *testing.T) {
	_, err := Parse([]byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n---\nkind: ConfigMap\n"))
	if err == nil || err.Error() != "document 2: this is no object of Kubernetes: it has no apiVersion, metadata.name" {
		t.Fatal(err)
	}
}
