// Package helm_test keeps the objects that the chart carries equal to those that kustomize renders.
package helm_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
)

var update = flag.Bool("update", false, "write the chart's objects anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The chart carries the feed's own processes, and what they share. Brokers and the database are somebody else's.
var (
	components = []string{"ingest", "bridge", "archive", "validator", "validate"}
	shared     = []string{"site", "default-deny", "dns", "feed-metrics"}
	leftOut    = []string{"st-one", "rabbitmq", "rabbitmq-config", "postgres", "postgres-config"}
)

// telemetry are the files of the component otlp of which the chart makes what it adds where site.otlp-endpoint is said: what
// each Deployment gets, and the flow.
var telemetry = []string{"components/otlp/deployment.yaml", "components/otlp/network-policies.yaml"}

const header = "# Rendered from deploy/k8s/%s by \"go test ./deploy/helm -update\": change it there.\n"

func TestTheChartCarriesWhatKustomizeRenders(t *testing.T) {
	rendered, err := kube.Render(deploy.Tree(), "base")
	if err != nil {
		t.Fatal(err)
	}
	files, strangers := sorted(rendered)
	for _, name := range telemetry {
		text, err := fs.ReadFile(deploy.Tree(), name)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := kube.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			add(files, "otlp.yaml", "components/otlp", part.YAML)
		}
	}
	for _, id := range strangers {
		t.Errorf("%s is new: the chart carries it, in components or shared, or leaves it out", id)
	}
	dir := filepath.Join("datafeed", "objects")
	if *update {
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if files[entry.Name()] == nil {
			t.Errorf("%s/%s is of nothing that is rendered", dir, entry.Name())
		}
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s/%s is not what deploy/k8s renders (%v): go test ./deploy/helm -update", dir, name, err)
		}
	}
}

func TestAnObjectThatNobodyAskedForIsSeen(t *testing.T) {
	_, strangers := sorted([]kube.Object{{APIVersion: "v1", Kind: "Secret", Namespace: "st-one", Name: "surprise"}})
	if !slices.Equal(strangers, []string{"v1 Secret st-one/surprise"}) {
		t.Errorf("strangers are %q", strangers)
	}
}

// hashed is a name with the hash of its content, which kustomize puts behind names of ConfigMaps. Helm restarts pods by
// an annotation, so that names stay.
var hashed = regexp.MustCompile(`^(.*)-[a-z0-9]{10}$`)

// sorted returns the chart's files, and the objects of which nothing says whether the chart carries them.
func sorted(all []kube.Object) (files map[string][]byte, strangers []string) {
	plain := []string{}
	for _, object := range all {
		if m := hashed.FindStringSubmatch(object.Name); object.Kind == "ConfigMap" && m != nil {
			plain = append(plain, object.Name, m[1])
		}
	}
	unhash := strings.NewReplacer(plain...)
	files = map[string][]byte{}
	for _, object := range all {
		name := unhash.Replace(object.Name)
		if slices.Contains(leftOut, name) {
			continue
		}
		file := fileOf(name)
		if file == "" {
			strangers = append(strangers, object.ID())
			continue
		}
		add(files, file, "base", []byte(unhash.Replace(string(object.YAML))))
	}
	return files, strangers
}

// add puts an object at the end of a file.
func add(files map[string][]byte, name, from string, object []byte) {
	if files[name] == nil {
		files[name] = fmt.Appendf(nil, header, from)
	} else {
		files[name] = append(files[name], "---\n"...)
	}
	files[name] = append(files[name], object...)
}

func fileOf(name string) string {
	if slices.Contains(shared, name) {
		return "shared.yaml"
	}
	for _, component := range components {
		if name == component || strings.HasPrefix(name, component+"-") {
			return component + ".yaml"
		}
	}
	return ""
}

// The notes name the program where the image has it: there is no shell that would look for it.
func TestTheNotesNameTheProgram(t *testing.T) {
	notes, err := os.ReadFile(filepath.Join("datafeed", "templates", "NOTES.txt"))
	if err != nil {
		t.Fatal(err)
	}
	dockerfile, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	run := regexp.MustCompile(`exec deployment/bridge -- (\S+) status`).FindSubmatch(notes)
	program := regexp.MustCompile(`(?m)^ENTRYPOINT \["([^"]+)"\]$`).FindSubmatch(dockerfile)
	if run == nil || program == nil || !bytes.Equal(run[1], program[1]) {
		t.Errorf("the notes run %q, the image has %q", run, program)
	}
}
