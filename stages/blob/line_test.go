package blob

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"
)

func TestEnvelopeLine(t *testing.T) {
	m := &message.Message{UUID: "id", Payload: []byte(" {\n\"a\": \"\\u00e9 b\" }\n"), Metadata: message.Metadata{
		"topic": "a/\"b\"", "time": "2026-01-02T03:04:05Z", "z": "\x01\n\xff", "a": "é\\",
	}}
	for payload, want := range map[string]string{
		" {\n\"a\": \"\\u00e9 b\" }\n": `"payload":{"a":"\u00e9 b"}}`,
		" 5 ":                          `"payload":5}`,
		"5\x00":                        `"encoding":"base64","payload":"NQA="}`,
		"":                             `"encoding":"base64","payload":""}`,
	} {
		m.Payload = []byte(payload)
		want := `{"topic":"a/\"b\"","time":"2026-01-02T03:04:05Z","id":"id","metadata":{"a":"é\\","z":"\u0001\u000A` + "\ufffd" + `"},` + want + "\n"
		if got := string((&enveloper{}).appendLine(nil, m, "fallback")); got != want {
			t.Errorf("got  %swant %s", got, want)
		}
	}
	got := string((&enveloper{}).appendLine(nil, &message.Message{Payload: []byte(`1`)}, "fallback"))
	if want := `{"topic":"fallback","id":"","metadata":{},"payload":1}` + "\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

// payloads are JSON and nearly so.
var payloads = []string{
	``, ` `, `{}`, `null`, `nul`, `-0`, `00`, `1.5e+10`, `"a`, `"\n"`, "\"\n\"", `"é"`, "\"\xff\"", `"\x"`, `{"a":1,}`, `[1 2]`, "\ufeff{}",
	" {\n\"a\" : [ 1 , \"x\\ty\" ] }\r\n", " {\n\"a\" : [ 1 , \"x y\" ] }\r\n", "\v1", "1\f",
}

// Whatever a message holds makes one line of JSON that gives it back, and the
// same line again.
func TestEnvelopeGivesBack(t *testing.T) {
	e := &enveloper{}
	rapid.Check(t, func(rt *rapid.T) {
		m := &message.Message{
			UUID:     awkward().Draw(rt, "id"),
			Payload:  []byte(rapid.OneOf(awkward(), rapid.SampledFrom(payloads)).Draw(rt, "payload")),
			Metadata: rapid.MapOf(awkward(), awkward()).Draw(rt, "metadata"),
		}
		line := e.appendLine([]byte("before\n"), m, "")
		if again := e.appendLine([]byte("before\n"), m, ""); !bytes.Equal(line, again) {
			t.Fatalf("two lines of one message: %q, %q", line, again)
		}
		line = bytes.TrimPrefix(line, []byte("before\n"))
		if bytes.IndexByte(line, '\n') != len(line)-1 || bytes.IndexByte(line, '\r') >= 0 {
			t.Fatalf("not one line: %q", line)
		}
		var got struct {
			Encoding string          `json:"encoding"`
			Payload  json.RawMessage `json:"payload"`
			Metadata map[string]string
		}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if got.Encoding == "base64" {
			var raw []byte
			if err := json.Unmarshal(got.Payload, &raw); err != nil || !bytes.Equal(raw, m.Payload) {
				t.Fatalf("payload %q comes back as %q (%v)", m.Payload, raw, err)
			}
		} else if !equalJSON(m.Payload, got.Payload) {
			t.Fatalf("payload %q comes back as %q", m.Payload, got.Payload)
		}
		for k, v := range m.Metadata {
			if k == "topic" || k == "time" {
				continue
			}
			if valid := strings.ToValidUTF8; valid(k, "") == k && valid(v, "") == v && got.Metadata[k] != v {
				t.Fatalf("metadata %q=%q comes back as %q", k, v, got.Metadata[k])
			}
		}
	})
}

func equalJSON(a, b []byte) bool {
	var ca, cb bytes.Buffer
	return json.Compact(&ca, a) == nil && json.Compact(&cb, b) == nil && bytes.Equal(ca.Bytes(), cb.Bytes())
}
