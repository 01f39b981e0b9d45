package gitops_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sigs.k8s.io/yaml"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
)

const configURL = "https://git.example.com/st-one/datafeed-config.git"

// TestTheFleetOfTheDocument goes through docs/fleet.md in temporary repositories, with its own commands, and compares at
// each step what the agents apply at each site with what kustomize builds there.
func TestTheFleetOfTheDocument(t *testing.T) {
	f := newFleet(t)
	f.source("v1.0.0", nil)

	f.run("config")
	f.run("gitops")
	first := f.check(map[string]string{"site-example-a": "config-1", "site-example-b": "config-1"})

	if difference := f.run("site"); !strings.Contains(difference, "+  blob-url: https://oslo.blob.core.windows.net/telemetry") {
		t.Errorf("the difference of the new site is said to be\n%s", difference)
	}
	second := f.check(map[string]string{"site-example-a": "config-1", "site-example-b": "config-1", "oslo": "config-2"})
	f.same(first, second, "site-example-a", "site-example-b")
	if oslo := string(second["oslo"]); !strings.Contains(oslo, "https://oslo.blob.core.windows.net") || strings.Contains(oslo, "planta") || strings.Contains(oslo, "198.51.100.") {
		t.Error("oslo is not what was written into its overlay")
	}

	f.source("v1.1.0", func(tree fstest.MapFS) {
		const bridge = "deploy/k8s/base/bridge/bridge.yaml"
		before := tree[bridge].Data
		tree[bridge] = &fstest.MapFile{Data: bytes.Replace(before, []byte("memory: 256Mi"), []byte("memory: 300Mi"), 1)}
		if bytes.Equal(before, tree[bridge].Data) {
			t.Fatal("the new release is the old one")
		}
		tree["deploy/k8s/base/bridge/new.txt"] = &fstest.MapFile{Data: []byte("new\n")}
		delete(tree, "deploy/k8s/overlays/poc/kustomization.yaml")
		tree["deploy/k8s/overlays/poc/README"] = &fstest.MapFile{Data: []byte("gone\n")}
	})
	if difference := f.run("release"); !strings.Contains(difference, "+            memory: 300Mi") || !strings.Contains(difference, "1 object differs") {
		t.Errorf("what the release changes is said to be\n%s", difference)
	}
	f.same(second, f.check(map[string]string{"site-example-a": "config-1", "site-example-b": "config-1", "oslo": "config-2"}), "site-example-a", "site-example-b", "oslo")
	if _, err := os.Stat(filepath.Join(f.dir, "config/overlays/poc/kustomization.yaml")); err == nil {
		t.Error("a file that the release has no more is still there")
	}

	f.run("roll-out")
	third := f.check(map[string]string{"site-example-a": "config-1", "site-example-b": "config-1", "oslo": "config-3"})
	f.same(second, third, "site-example-a", "site-example-b")
	if !strings.Contains(string(third["oslo"]), "memory: 300Mi") || strings.Contains(string(second["oslo"]), "memory: 300Mi") {
		t.Error("oslo has not the new release")
	}

	f.run("roll-back")
	f.same(second, f.check(map[string]string{"site-example-a": "config-1", "site-example-b": "config-1", "oslo": "config-2"}), "site-example-a", "site-example-b", "oslo")
}

type fleet struct {
	t      *testing.T
	dir    string
	blocks map[string]string // the document's commands, by the name before them

	compared map[string][]byte
}

var block = regexp.MustCompile("(?m)^<!-- run: ([a-z-]+) -->\n```sh\n((?s:.*?))^```$")

func newFleet(t *testing.T) *fleet {
	t.Helper()
	document, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, dir: t.TempDir(), blocks: map[string]string{}, compared: map[string][]byte{}}
	for _, m := range block.FindAllStringSubmatch(string(document), -1) {
		f.blocks[m[1]] = m[2]
	}
	if marks := strings.Count(string(document), "<!-- run:"); marks != len(f.blocks) {
		t.Fatalf("the document marks %d blocks of commands, %d were found", marks, len(f.blocks))
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(f.dir, "bin/feed"), "github.com/kraft-edge/datafeed/cmd/feed").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f.shell("git init -q -b main datafeed")
	t.Cleanup(func() {
		if len(f.blocks) > 0 && !t.Failed() {
			t.Errorf("blocks that nobody has run: %v", slices.Sorted(maps.Keys(f.blocks)))
		}
	})
	return f
}

// source commits the tree of this repository, changed, to the source repository, as a release.
func (f *fleet) source(tag string, change func(fstest.MapFS)) {
	f.t.Helper()
	tree := fstest.MapFS{}
	for from, to := range map[fs.FS]string{deploy.Tree(): "deploy/k8s", os.DirFS("."): "deploy/gitops"} {
		all, err := copied(from)
		if err != nil {
			f.t.Fatal(err)
		}
		for name, file := range all {
			tree[path.Join(to, name)] = file
		}
	}
	if change != nil {
		change(tree)
	}
	f.shell("find datafeed -mindepth 1 -maxdepth 1 ! -name .git -exec rm -r {} +")
	for name, file := range tree {
		at := filepath.Join(f.dir, "datafeed", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			f.t.Fatal(err)
		}
		if err := os.WriteFile(at, file.Data, 0o644); err != nil {
			f.t.Fatal(err)
		}
	}
	f.shell("git -C datafeed add -A && git -C datafeed commit -q -m release && git -C datafeed tag " + tag)
}

// run runs a block of the document, and returns what it wrote.
func (f *fleet) run(name string) string {
	f.t.Helper()
	commands, ok := f.blocks[name]
	if !ok {
		f.t.Fatalf("the document has no block %s", name)
	}
	delete(f.blocks, name)
	return f.shell(commands)
}

func (f *fleet) shell(commands string) string {
	f.t.Helper()
	out, err := f.try(commands)
	if err != nil {
		f.t.Fatalf("%s\n%v\n%s", commands, err, out)
	}
	return out
}

func (f *fleet) try(commands string) (string, error) {
	command := exec.CommandContext(f.t.Context(), "bash", "-euo", "pipefail", "-c", commands)
	command.Dir = f.dir
	command.Env = append(os.Environ(), "PATH="+f.dir+"/bin:"+os.Getenv("PATH"), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com")
	out, err := command.CombinedOutput()
	return string(out), err
}

// check compares, at each site, what Flux and Argo CD apply with what kustomize builds of its overlay at the revision that it
// is to have, and returns that.
func (f *fleet) check(revisions map[string]string) map[string][]byte {
	f.t.Helper()
	gitops, err := checkout(f.try, "gitops", "main", f.t.TempDir())
	if err != nil {
		f.t.Fatal(err)
	}
	flux, err := fluxAssignments(gitops)
	if err != nil {
		f.t.Fatal(err)
	}
	argo, err := argoAssignments(gitops)
	if err != nil {
		f.t.Fatal(err)
	}
	built := map[string][]byte{}
	for agent, assignments := range map[string][]assignment{"flux": flux, "argocd": argo} {
		if len(assignments) != len(revisions) {
			f.t.Errorf("%s has %d sites, want %d", agent, len(assignments), len(revisions))
		}
		for _, a := range assignments {
			if a.repository != configURL || a.revision != revisions[a.site] || path.Clean(a.path) != "overlays/"+a.site {
				f.t.Errorf("%s: %s gets %s of %s at %s, which should be its own at %s", agent, a.site, a.path, a.repository, a.revision, revisions[a.site])
				continue
			}
			built[a.site] = f.compare(agent, a)
		}
	}
	return built
}

// compare compares what the agent applies with what kustomize builds, and returns that. What was compared once, at the same
// commit, is not compared again.
func (f *fleet) compare(agent string, a assignment) []byte {
	f.t.Helper()
	commit, err := f.try("git -C config rev-parse " + a.revision)
	if err != nil {
		f.t.Fatalf("%v\n%s", err, commit)
	}
	key := fmt.Sprint(agent, a, commit)
	if built, ok := f.compared[key]; ok {
		return built
	}
	config, err := checkout(f.try, "config", a.revision, f.t.TempDir())
	if err != nil {
		f.t.Fatal(err)
	}
	want, err := kube.Render(config, path.Clean(a.path))
	if err != nil {
		f.t.Fatal(err)
	}
	got, err := a.render(config)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, problem := range differences(got, want) {
		f.t.Errorf("%s: %s: %s", agent, a.site, problem)
	}
	var text bytes.Buffer
	if err := kube.Write(&text, want); err != nil {
		f.t.Fatal(err)
	}
	f.compared[key] = text.Bytes()
	return text.Bytes()
}

// same sees that sites are as they were.
func (f *fleet) same(before, after map[string][]byte, sites ...string) {
	f.t.Helper()
	for _, site := range sites {
		if len(before[site]) == 0 || !bytes.Equal(before[site], after[site]) {
			f.t.Errorf("%s is not what it was", site)
		}
	}
}

// keep is the annotation with which an agent lets an object be, whatever happens to the repository.
var keep = map[string]string{
	"kustomize.toolkit.fluxcd.io/prune": "disabled",
	"argocd.argoproj.io/sync-options":   "Prune=false,Delete=false",
}

// differences of what an agent applies to what kustomize builds, but for the annotation of what is never to be deleted.
func differences(got, want []kube.Object) []string {
	var problems []string
	all := map[string]map[string]any{}
	for _, object := range want {
		all[object.ID()] = decoded(object)
	}
	for _, object := range got {
		o := decoded(object)
		if object.Kind == "Namespace" || object.Kind == "PersistentVolumeClaim" {
			if !unkept(o) {
				problems = append(problems, object.ID()+" may be deleted by the agent")
			}
		}
		if !reflect.DeepEqual(o, all[object.ID()]) {
			problems = append(problems, object.ID()+" is not what kustomize builds")
		}
		delete(all, object.ID())
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		problems = append(problems, id+" is not applied")
	}
	return problems
}

// unkept takes the annotation away, and says whether it was there.
func unkept(object map[string]any) bool {
	metadata := object["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	for key, value := range keep {
		if annotations[key] == value {
			delete(annotations, key)
			if len(annotations) == 0 {
				delete(metadata, "annotations")
			}
			return true
		}
	}
	return false
}

func decoded(object kube.Object) map[string]any {
	var o map[string]any
	if err := yaml.Unmarshal(object.YAML, &o); err != nil {
		panic(fmt.Sprintf("%s: %v", object.ID(), err)) // it was decoded before
	}
	return o
}
