package apitest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	// What Flux's definitions are generated from.
	_ "github.com/fluxcd/helm-controller/api/v2"
	_ "github.com/fluxcd/kustomize-controller/api/v1"
	_ "github.com/fluxcd/source-controller/api/v1"

	"github.com/kraft-edge/datafeed/internal/kube"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// published are the modules that have definitions of custom resources as files, and those files that are needed: a large
// definition keeps the API server busy for seconds.
var published = []struct {
	module, version string
	files           []string
}{
	{"github.com/argoproj/argo-cd/v3", "v3.4.13", []string{"manifests/crds/applicationset-crd.yaml", "manifests/crds/appproject-crd.yaml"}},
	{"github.com/cert-manager/cert-manager", "v1.21.2", []string{"deploy/crds/cert-manager.io_certificates.yaml", "deploy/crds/cert-manager.io_issuers.yaml"}},
	{"github.com/prometheus-operator/prometheus-operator", "v0.85.0", []string{
		"example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
		"example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
		"example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
	}},
}

// flux are the packages of Flux's types. Its projects make their definitions of them, with the same tool.
var flux = []string{
	"github.com/fluxcd/helm-controller/api/v2",
	"github.com/fluxcd/kustomize-controller/api/v1",
	"github.com/fluxcd/source-controller/api/v1",
}

// define gives the API server all custom resources that deploy/ has objects of.
func (c *cluster) define(t *testing.T) {
	t.Helper()
	var files []string
	for _, from := range published {
		// Outside of this module, whose go.sum would take it for one that it requires.
		var module struct{ Dir, Error string }
		if err := json.Unmarshal([]byte(run(t, t.TempDir(), "go", "mod", "download", "-json", from.module+"@"+from.version)), &module); err != nil {
			t.Fatal(err)
		}
		for _, file := range from.files {
			files = append(files, filepath.Join(module.Dir, file))
		}
	}
	dir := t.TempDir()
	generate := []string{"go", "tool", "controller-gen", "crd", "output:crd:dir=" + dir}
	for _, pkg := range flux {
		generate = append(generate, "paths="+pkg)
	}
	run(t, ".", generate...)
	files = append(files, matches(t, filepath.Join(dir, "*.yaml"))...)

	definitions := read(t, "../azure/aio/crds.yaml")
	for _, object := range definitions {
		c.accepts(t, object)
	}
	for _, file := range files {
		for _, object := range read(t, file) {
			// Of what others have written, warnings are their business.
			if answer := c.apply(t, object); answer.refusal() != "" {
				t.Fatalf("%s: %s: %s", file, object.ID(), answer.refusal())
			}
			definitions = append(definitions, object)
		}
	}
	for _, object := range definitions {
		testenv.Eventually(t, time.Minute, object.ID()+" to be served", func() bool { return c.established(t, object) })
	}
}

func (c *cluster) established(t *testing.T, definition kube.Object) bool {
	t.Helper()
	for _, condition := range list(at(c.get(t, definition).body, "status", "conditions")) {
		if at(condition, "type") == "Established" {
			return at(condition, "status") == "True"
		}
	}
	return false
}

func read(t *testing.T, file string) []kube.Object {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(content))
}

func parse(t *testing.T, documents string) []kube.Object {
	t.Helper()
	objects, err := kube.Parse([]byte(documents))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func matches(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files match %s (%v)", pattern, err)
	}
	return files
}
