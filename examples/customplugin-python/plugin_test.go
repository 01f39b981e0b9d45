// Package customplugin tests the plugin in Python with the suites that plugins in
// Go pass.
package customplugin

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/plugins/plugintest"
)

// needPython skips a short run: Debian's python3-grpcio is not everywhere.
func needPython(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs python3-grpcio, which a -short run does not expect")
	}
}

func TestPlugin(t *testing.T) {
	needPython(t)
	file := filepath.Join(t.TempDir(), "customplugin-python")
	if out, err := exec.CommandContext(t.Context(), "./build.sh", file).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	plugintest.RunBinary(t, file, plugintest.Transform{
		Name: "scale", Configuration: `{"factor":0.5,"unit":"bar"}`,
		Messages: func() []*message.Message {
			var all []*message.Message
			for _, payload := range []string{`{"value":3}`, `{"value":null}`, `{"value":"x"}`, `{"value":true}`, `{}`, `[`, `[]`, ``, `{"value":1e400}`, strings.Repeat("[", 100_000)} {
				m := message.NewMessage("id "+payload[:min(len(payload), 40)], []byte(payload))
				m.Metadata.Set("topic", "é")
				all = append(all, m)
			}
			return all
		},
	})
}

// Its own tests, which need no feed.
func TestPython(t *testing.T) {
	needPython(t)
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-B", "-m", "unittest")
	if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("Ran 0 tests")) {
		t.Errorf("%v\n%s", err, out)
	}
}
