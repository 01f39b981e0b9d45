package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	watermill "github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins"
)

// acmePlugin is the plugin of the scripts.
func acmePlugin() {
	plugins.Serve("ACME stages", "1.2.3", feed.TransformFactory("acme", "Writes payloads in capitals.",
		func() acmeConfig { return acmeConfig{Refuse: "nothing"} },
		func(c acmeConfig, _ feed.StageEnv) (feed.Transform, error) {
			return feed.Transform{Func: func(m *watermill.Message) ([]*watermill.Message, error) {
				if string(m.Payload) == "kill" {
					fmt.Fprintln(os.Stderr, "killed")
					os.Exit(3)
				}
				if string(m.Payload) == c.Refuse {
					return nil, feed.Permanent(errors.New("it is refused"))
				}
				m.Payload = []byte(strings.ToUpper(string(m.Payload)))
				return []*watermill.Message{m}, nil
			}}, nil
		}))
}

type acmeConfig struct {
	Refuse string `yaml:"refuse" doc:"The payload that is refused."`
}

// Validate implements [feed.StageConfig].
func (c *acmeConfig) Validate() error {
	if c.Refuse == "die" {
		os.Exit(3)
	}
	if c.Refuse == "" {
		return &feed.ConfigError{Key: "refuse", Problem: "is empty", Remedy: "write a payload"}
	}
	return nil
}

// pluginScript writes a plugin that is a script, and returns its entry in a list.
func pluginScript(t *testing.T, name, commands string) string {
	t.Helper()
	path, text := filepath.Join(t.TempDir(), name), "#!/bin/sh\n"+commands+"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("{path: %s, sha256: %x, env: [PATH]}", path, sha256.Sum256([]byte(text)))
}

// No plugin holds up a route that does not need it, nor keeps the feed from starting:
// not one that hangs at its start, nor one that crashes when it is asked about its
// settings.
func TestRunWithPluginsThatFail(t *testing.T) {
	r := startFeed(t, `
quarantine: {path: `+t.TempDir()+`/quarantine.db}
plugins: {runtimeDirectory: /tmp, list: [`+pluginScript(t, "hangs", "exec sleep 600")+", "+pluginScript(t, "dies", "exec acmeplugin")+`]}
routes:
  good: {source: {generate: {count: 10, rate: 0}}, sink: {log: {}}, allowLoss: true}
  hung: {source: {generate: {count: 10, rate: 0}}, transforms: [whatever: {any: thing}], sink: {log: {}}, allowLoss: true}
  died: {source: {generate: {count: 10, rate: 0}}, transforms: [acme: {refuse: die}], sink: {log: {}}, allowLoss: true}
`)
	want := map[string]string{
		"hung": `transform whatever: there is no transform "whatever": plugin hangs is left out: it has not said yet what it has`,
		"died": "plugin dies: it was started again 5 times within 10m0s, which is its budget, the last time because of: exit status 3",
	}
	for stopped := false; !stopped || len(want) > 0; {
		line, ok := <-r.lines
		if !ok {
			t.Fatal("the feed has ended")
		}
		route, reason := fmt.Sprint(line["route"]), fmt.Sprint(line["reason"])
		stopped = stopped || line["msg"] == "route is stopped" && route == "good"
		if want[route] != "" && line["msg"] == "route is retrying" && strings.Contains(reason, want[route]) {
			delete(want, route)
		}
	}
}

// A route whose plugin is left out is not ready and says why; the others run.
func TestRunWithoutAPlugin(t *testing.T) {
	r := startFeed(t, `
quarantine: {path: `+t.TempDir()+`/quarantine.db}
plugins: {list: [{path: missing, sha256: `+strings.Repeat("1", 64)+`}]}
routes:
  good: {source: {generate: {count: 10, rate: 0}}, sink: {log: {}}, allowLoss: true}
  waiting: {source: {generate: {count: 10, rate: 0}}, transforms: [acme: {any: thing}], sink: {log: {}}, allowLoss: true}
`)
	if line := r.waitFor("a plugin is left out"); line["plugin"] != "missing" {
		t.Errorf("got %v", line)
	}
	admin := fmt.Sprint(r.waitFor("feed starts")["admin"])
	for stopped, retrying := false, false; !stopped || !retrying; { // in this order or the other
		line, ok := <-r.lines
		if !ok {
			t.Fatal("the feed has ended")
		}
		stopped = stopped || line["msg"] == "route is stopped" && line["route"] == "good"
		retrying = retrying || line["msg"] == "route is retrying" && line["route"] == "waiting" &&
			strings.Contains(fmt.Sprint(line["reason"]), `transform acme: there is no transform "acme": plugin missing is left out: `)
	}
	for path, want := range map[string]string{
		"readyz": "there is no transform", "metrics": `datafeed_plugin_up{feed="feed",plugin="missing"} 0`, "status": `"state": "refused"`,
	} {
		answer, err := http.Get("http://" + admin + "/" + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s, %v", path, body, err)
		}
	}
}
