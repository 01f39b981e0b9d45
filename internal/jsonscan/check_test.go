package jsonscan

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

var jsonSeeds = []string{
	``, ` `, `{}`, `[]`, `null`, `nul`, `nullx`, `true`, `false`, `0`, `-0`, `00`, `-`, `1.`, `1.5e+10`, `1e`, `1E-3`, `.5`, `+1`, `01`,
	`"a"`, `"a`, `"\n"`, "\"\n\"", `"\u00e9"`, `"\u00g9"`, `"\u12"`, `"é"`, "\"\xff\"", `"\x"`, `"\`, `"\"`, "\"\x7f\"", "\"1234567\x1f9\"",
	`{"a":1}`, `{"a":1,}`, `{"a"}`, `{a:1}`, `{"a":1 "b":2}`, `[1,2,]`, `[1 2]`, `[,1]`, `[[[]]]`, `[}`, `{]`, "\ufeff{}", "{}\x00",
	" {\n\"a\" : [ 1 , \"x\ty\" ] }\r\n", " {\n\"a\" : [ 1 , \"x y\" ] }\r\n", `{"device":"press-17","tag":"temperature","ts":"2026-11-21T03:40:39.123Z","value":21.5,"quality":"good","seq":123456}`,
	`"abcdefgh\"ijklmnop\\"`, `"aaaaaaaaaaaaaaaaéaaaaaaa"`, "\v1", "1\f",
}

// compareCheck compares a scan with what encoding/json says.
func compareCheck(t *testing.T, b []byte) {
	t.Helper()
	got := Check(b)
	if want := json.Valid(b) && utf8.Valid(b); got.Valid != want {
		t.Fatalf("Check(%q).Valid = %v, want %v", b, got.Valid, want)
	}
	if !got.Valid {
		return
	}
	if want := bytes.ContainsAny(b, "\r\n"); got.Newlines != want {
		t.Fatalf("Check(%q).Newlines = %v, want %v", b, got.Newlines, want)
	}
	var want bytes.Buffer
	if err := json.Compact(&want, b); err != nil {
		t.Fatal(err)
	}
	if c := AppendCompact(nil, b); !bytes.Equal(c, want.Bytes()) {
		t.Fatalf("AppendCompact(%q) = %q, want %q", b, c, want.Bytes())
	}
}

func TestCheck(t *testing.T) {
	for _, s := range jsonSeeds {
		compareCheck(t, []byte(s))
	}
	for _, depth := range []int{100, maxNesting, maxNesting + 1} {
		compareCheck(t, []byte(strings.Repeat("[", depth)+strings.Repeat("]", depth)))
		compareCheck(t, []byte(strings.Repeat(`{"a":`, depth)+"1"+strings.Repeat("}", depth)))
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { compareCheck(t, b) })
}

// reading is a payload of 200 bytes.
var reading = []byte(`{"device":"press-017","tag":"hydraulics.pressure.main","ts":"2026-11-21T03:40:39.123456Z","value":182.4375,"quality":"good","seq":1234567,"site":"north","line":"line-03","unit":"bar","batch":"A-77123"}`)

func BenchmarkCheck(b *testing.B) {
	b.Run("scan", func(b *testing.B) {
		b.SetBytes(int64(len(reading)))
		for b.Loop() {
			if !Check(reading).Valid {
				b.Fatal("invalid")
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(reading)))
		for b.Loop() {
			if !json.Valid(reading) {
				b.Fatal("invalid")
			}
		}
	})
}
