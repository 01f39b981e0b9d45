package feed_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

const canary = "hunter2-canary"

func TestSecretsAreNeverPrinted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	values := map[string]any{
		"secret":       feed.NewSecret(canary),
		"secret file":  feed.SecretFile(file),
		"url":          feed.NewURL("amqp://user:" + canary + "@host/vhost"),
		"url query":    feed.NewURL("https://host/container?sig=" + canary),
		"not a url":    feed.NewURL("amqp://user:" + canary + "@host:port with spaces"),
		"in a struct":  struct{ S feed.Secret }{feed.NewSecret(canary)},
		"in a pointer": &struct{ U feed.URL }{feed.NewURL("x://u:" + canary + "@h")},
	}
	for name, v := range values {
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for form, text := range map[string]string{
			"%v": fmt.Sprintf("%v", v), "%+v": fmt.Sprintf("%+v", v), "%#v": fmt.Sprintf("%#v", v), "%s": fmt.Sprintf("%s", v), "%q": fmt.Sprintf("%q", v),
			"slog": log.String(), "JSON": string(encoded),
		} {
			if strings.Contains(text, canary) {
				t.Errorf("%s printed with %s shows the secret: %s", name, form, text)
			}
		}
	}
}

func TestParseSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "value a", "EMPTY": ""}[name]
		return v, ok
	}
	for _, tt := range []struct{ in, want, err string }{
		{in: "plain", want: "plain"},
		{in: "${A}", want: "value a"},
		{in: "x${A}y${A}", want: "xvalue ayvalue a"},
		{in: "${EMPTY}", want: ""},
		{in: "${EMPTY:-d}", want: "d"},
		{in: "${NONE:-default}", want: "default"},
		{in: "${file:" + file + "}", want: "from file"},
		{in: "$${A}", want: "${A}"},
		{in: "a$b", want: "a$b"},
		{in: "${NONE}", err: "environment variable NONE is not set"},
		{in: "${A", err: "no closing brace"},
		{in: "${file:}", err: "names no file"},
	} {
		s, err := feed.ParseSecret(tt.in, env)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: error %v, want %q", tt.in, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		if got, err := s.Reveal(); err != nil || got != tt.want {
			t.Errorf("%q reveals %q (%v), want %q", tt.in, got, err, tt.want)
		}
	}
}

// A URL that nothing can be reached at is refused, and what is said of it shows
// nothing of a password that was not escaped.
func TestURLParse(t *testing.T) {
	for text, want := range map[string]string{
		"amqp://host":                       "",
		"amqp://host:/vhost":                "",
		"amqp://host:1/":                    "",
		"mqtt://[::1]:65535":                "",
		"unix:///run/broker":                "",
		"mqtt://host:0":                     "has a port that is not from 1 to 65535",
		"https://host:65536/x":              "has a port that is not from 1 to 65535",
		"mqtt://host:18446744073709551617":  "has a port that is not from 1 to 65535",
		"amqp://user:" + canary + "/x@host": "is no valid URL",
		"amqp://host/%zz" + canary:          "is no valid URL",
	} {
		_, err := feed.NewURL(text).Parse()
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestSecretFileIsReadAnew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	s := feed.SecretFile(file)
	if _, err := s.Reveal(); err == nil {
		t.Error("a missing file reveals something")
	}
	for _, want := range []string{"first", "rotated"} {
		if err := os.WriteFile(file, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Reveal(); err != nil || got != want {
			t.Errorf("revealed %q (%v), want %q", got, err, want)
		}
	}
}
