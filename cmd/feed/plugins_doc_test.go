package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/plugins/host"
)

// goFile is an example in Go, whose first line names its file.
var goFile = regexp.MustCompile("(?ms)^```go\n// (\\S+)\n(.*?)^```$")

// TestPluginsDocument follows docs/plugins.md from an empty directory: it writes the
// files that the document shows, runs its commands in order, and compares what they
// print.
func TestPluginsDocument(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a plugin in Go, and needs python3-grpcio, which a -short run does not expect")
	}
	admin := testenv.Address(t)
	doc := strings.ReplaceAll(readPluginsDocument(t), "127.0.0.1:8686", admin)
	commands, files := examplesOf(t, doc)
	commands = strings.Replace(commands, "exec sh -c 'feed status", "awaits http://"+admin+"/readyz\nexec sh -c 'feed status", 1)
	if n := strings.Count(commands, "stdout"); n < 15 {
		t.Fatalf("only %d lines are compared:\n%s", n, commands)
	}
	sources := goFile.FindAllStringSubmatch(doc, -1)
	if len(sources) < 3 {
		t.Fatalf("only %d files in Go", len(sources))
	}
	for _, f := range sources {
		files += fmt.Sprintf("-- %s --\n%s", f[1], f[2])
	}
	tree, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	places, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	place := strings.Fields(string(places))
	proxy := moduleProxy(t, place[0])
	script := filepath.Join(t.TempDir(), "document.txtar")
	if err := os.WriteFile(script, []byte(commands+files), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files:               []string{script},
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			for name, value := range map[string]string{
				"GORACE": "atexit_sleep_ms=0",
				"PWD":    env.WorkDir, // as a shell sets it
				"TMPDIR": "/tmp",      // the names of sockets are short
				// What the module asks for is in this tree and where Go keeps modules.
				"DATAFEED": tree, "GOMODCACHE": place[0], "GOCACHE": place[1], "GOPROXY": proxy.URL, "GOSUMDB": "off",
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"awaits": awaits},
	})
}

// moduleProxy has the modules that Go keeps in a directory, and as on the machine of
// somebody who has a checkout only, none of this project's.
func moduleProxy(t *testing.T, cache string) *httptest.Server {
	t.Helper()
	kept := http.FileServer(http.Dir(filepath.Join(cache, "cache", "download")))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/github.com/kraft-edge/") {
			http.Error(w, "only for its owners", http.StatusForbidden)
			return
		}
		kept.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func readPluginsDocument(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

// TestPluginsDocumentIsComplete: docs/plugins.md tells of each key of the section, of
// each metric, and of each command.
func TestPluginsDocumentIsComplete(t *testing.T) {
	doc := readPluginsDocument(t)
	var names []string
	for _, of := range []any{config.Plugins{}, config.Plugin{}, config.PluginLimits{}} {
		for f := range reflect.TypeOf(of).Fields() {
			names = append(names, f.Tag.Get("yaml"))
		}
	}
	if len(names) < 15 {
		t.Fatalf("keys %v", names)
	}
	keys := len(names)
	descs := make(chan *prometheus.Desc, 10)
	newPluginCollector("feed", func() []host.Plugin { return nil }).Describe(descs)
	close(descs)
	for d := range descs {
		names = append(names, regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1])
	}
	if len(names) < keys+3 {
		t.Fatalf("metrics %v", names[keys:])
	}
	c, err := initializeCLI(streams{strings.NewReader(""), os.Stdout, os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range c.pluginsCommand().Commands() {
		names = append(names, "feed plugins "+cmd.Name())
	}
	for _, name := range names {
		if !regexp.MustCompile("`" + name + "[`{: ]").MatchString(doc) {
			t.Errorf("nothing is said of %s", name)
		}
	}
}
