package reading_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// TestParserKeepsLittle: a parser that has seen long payloads, good and bad, is as
// small as before.
func TestParserKeepsLittle(t *testing.T) {
	const form = `{"device":"%s","tag":"t","ts":"2026-11-21T03:04:05Z","value":"%s","quality":"good","seq":1}`
	long := strings.Repeat(`\n`, 16<<20)
	for name, payload := range map[string]string{
		"a text":                  fmt.Sprintf(form, "d", strings.Repeat("x", reading.MaxText)),
		"a text with escapes":     fmt.Sprintf(form, "d", long[:2*reading.MaxText]),
		"a text that is too long": fmt.Sprintf(form, "d", long),
		"a name that is too long": fmt.Sprintf(form, long, "x"),
	} {
		var p reading.Parser
		before := heap()
		if r, err := p.Parse([]byte(payload)); err == nil && r.Value.Text() == "" {
			t.Errorf("%s: read as %+v", name, r)
		}
		if grown := heap() - before; grown > reading.MaxText/2 {
			t.Errorf("%s: the parser keeps %d bytes", name, grown)
		}
		runtime.KeepAlive(&p)
		runtime.KeepAlive(payload)
	}
	runtime.KeepAlive(long)
}

// heap returns the bytes that are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
