package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
)

// runBlocks runs the blocks of docs/deploy.md that have a mark, in their order, in a shell.
func runBlocks(t *testing.T, shell, dir, mark string) {
	t.Helper()
	found := false
	for _, b := range shellBlock.FindAllStringSubmatch(readDocument(t), -1) {
		if b[1] != mark {
			continue
		}
		found = true
		cmd := exec.CommandContext(t.Context(), shell, append(slices.Clone(shells[shell]), b[2])...)
		cmd.Dir = dir
		cmd.Stdin = strings.NewReader("of the cloud\nof the registry\n") // what one asks for
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, b[2], out)
		}
	}
	if !found {
		t.Fatalf("no block is marked %q", mark)
	}
}

// kubectlThatNotes notes what it is to make, an argument a line, and has a ConfigMap to show.
const kubectlThatNotes = `#!/bin/sh
case " $* " in
*' get configmap '*) echo certificate ;;
*' create '*) printf '%s\n' "$@" '' >>"$(dirname "$0")/made" ;;
*) exit 1 ;;
esac
`

// TestDeployDocumentMakesAllSecrets: the commands of docs/deploy.md make each Secret and each ConfigMap that a shipped site
// mounts and does not have in it, with the keys that are mounted, from files that are there; and a table names them.
func TestDeployDocumentMakesAllSecrets(t *testing.T) {
	if testing.Short() {
		t.Skip("needs mosquitto_passwd, which tools/setup.sh installs, and a -short run does not")
	}
	for shell := range shells {
		t.Run(shell, func(t *testing.T) { makesAllSecrets(t, shell) })
	}
}

func makesAllSecrets(t *testing.T, shell string) {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"kubectl": 0o700, "proxy.crt": 0o600, "collector.crt": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(kubectlThatNotes), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "stty"), []byte("#!/bin/sh\n"), 0o700); err != nil { // there is no terminal
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(dir, "datafeed")); err != nil {
		t.Fatal(err)
	}
	runBlocks(t, shell, dir, "run: prepare")
	runBlocks(t, shell, dir, "cluster: secrets")
	made := madeBy(t, dir)
	sameLogin(t, filepath.Join(dir, "secrets/registry.json"))
	doc := readDocument(t)
	made["Secret rabbitmq-credentials"] = keysOf(t, dir, strings.Fields(regexp.MustCompile(`create secret generic rabbitmq-credentials .*`).FindString(doc)))

	sites, err := kube.Sites(deploy.Tree())
	if err != nil || len(sites) < 6 {
		t.Fatal(sites, err)
	}
	for _, site := range sites {
		wanted := expectedOf(t, site)
		if site == "prod" && len(wanted) < 8 {
			t.Errorf("prod expects %v alone", wanted)
		}
		for _, name := range slices.Sorted(maps.Keys(wanted)) {
			kind, object, _ := strings.Cut(name, " ")
			row := "| `" + object + "` |"
			if kind == "ConfigMap" {
				row = "| ConfigMap `" + object + "` |"
			}
			if !strings.Contains(doc, row) {
				t.Errorf("%s: the table has no row %q", site, row)
			}
			for key := range wanted[name] {
				if !made[name][key] {
					t.Errorf("%s: no command makes %s with the key %s, but %v", site, name, key, made[name])
				}
			}
		}
	}
}

// sameLogin sees that a file for pulling images has the password that was asked for.
func sameLogin(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Auths map[string]struct{ Auth []byte }
	}
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if got := string(config.Auths["REGISTRY.azurecr.io"].Auth); got != "datafeed-SITE:of the registry" {
		t.Errorf("who pulls images is %q", got)
	}
}

// madeBy returns what kubectl was to make, and of which keys.
func madeBy(t *testing.T, dir string) map[string]map[string]bool {
	t.Helper()
	notes, err := os.ReadFile(filepath.Join(dir, "made"))
	if err != nil {
		t.Fatal(err)
	}
	made := make(map[string]map[string]bool)
	for call := range strings.SplitSeq(strings.TrimSpace(string(notes)), "\n\n") {
		args := strings.Split(call, "\n")
		if args[1] != "st-one" { // of -n
			continue
		}
		name := "ConfigMap " + args[4]
		if args[3] == "secret" {
			name = "Secret " + args[5]
		}
		made[name] = keysOf(t, dir, args)
	}
	return made
}

// keysOf returns the keys that arguments of kubectl make, from files that must not be empty.
func keysOf(t *testing.T, dir string, args []string) map[string]bool {
	t.Helper()
	keys := map[string]bool{"": true} // the object itself
	for _, a := range args {
		from, ok := strings.CutPrefix(a, "--from-file=")
		if !ok {
			continue
		}
		key, file, named := strings.Cut(from, "=")
		if !named {
			key, file = filepath.Base(from), from
		}
		keys[key] = true
		if data, err := os.ReadFile(filepath.Join(dir, file)); err != nil || len(data) == 0 {
			t.Errorf("%s is made of nothing: %v", key, err)
		}
	}
	return keys
}

// expectedOf returns the Secrets and ConfigMaps that a site mounts and does not have in it, with their keys.
func expectedOf(t *testing.T, site string) map[string]map[string]bool {
	t.Helper()
	all, err := kube.Render(deploy.Tree(), "overlays/"+site)
	if err != nil {
		t.Fatal(err)
	}
	wanted, have := make(map[string]map[string]bool), make(map[string]bool)
	for _, o := range all {
		have[o.Kind+" "+o.Name] = true
		var content any
		if err := yaml.Unmarshal(o.YAML, &content); err != nil {
			t.Fatal(err)
		}
		expect(content, wanted)
		if fields, ok := content.(map[string]any); ok && o.Kind == "Certificate" { // cert-manager makes its Secret
			spec, _ := fields["spec"].(map[string]any)
			secret, _ := spec["secretName"].(string)
			have["Secret "+secret] = true
		}
	}
	maps.DeleteFunc(wanted, func(name string, _ map[string]bool) bool { return have[name] })
	return wanted
}

// expect finds what is mounted, or pulled with, below a value.
func expect(value any, wanted map[string]map[string]bool) {
	if list, ok := value.([]any); ok {
		for _, v := range list {
			expect(v, wanted)
		}
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return
	}
	for field, below := range fields {
		source, _ := below.(map[string]any)
		kind := map[string]string{
			"secret": "Secret", "secretKeyRef": "Secret", "secretRef": "Secret",
			"configMap": "ConfigMap", "configMapKeyRef": "ConfigMap", "configMapRef": "ConfigMap",
		}[field]
		name, _ := source["name"].(string)
		if secret, ok := source["secretName"].(string); ok {
			name = secret
		}
		if kind != "" && name != "" {
			need(wanted, kind+" "+name, source["key"])
			items, _ := source["items"].([]any)
			for _, i := range items {
				need(wanted, kind+" "+name, i.(map[string]any)["key"])
			}
		}
		if pulls, ok := below.([]any); ok && field == "imagePullSecrets" {
			for _, p := range pulls {
				need(wanted, "Secret "+p.(map[string]any)["name"].(string), nil)
			}
		}
		expect(below, wanted)
	}
}

func need(wanted map[string]map[string]bool, name string, key any) {
	if wanted[name] == nil {
		wanted[name] = make(map[string]bool)
	}
	text, _ := key.(string)
	wanted[name][text] = true
}

// TestDeployDocumentFirstProof: the job that proves a new site compares one hour, whatever the regular one does.
func TestDeployDocumentFirstProof(t *testing.T) {
	script := regexp.MustCompile(`cronjob/validate .* \| (sed '[^']+') \|`).FindStringSubmatch(readDocument(t))
	if script == nil {
		t.Fatal("no command makes the job")
	}
	file := filepath.Join(t.TempDir(), "site.yaml")
	writeSite(t, "prod", file)
	out, err := exec.CommandContext(t.Context(), "bash", "-c", script[1]+` "$0"`, file).Output()
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(out), strings.Replace(string(before), "- 72h\n", "- 1h\n", 1); got != want || got == string(before) {
		t.Error("the job is not the regular one with another span")
	}
}
