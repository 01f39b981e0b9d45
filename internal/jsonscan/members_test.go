package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// FuzzMembers compares with encoding/json: the same objects are read, and what
// is visited, put together again, is the same object.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{}`, ` { "a" : 1 , "b\n" : [ {} ] , "a" : null } `, `{"a":1,}`, `[1]`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", ``, `{"a":1}x`, `null`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var again bytes.Buffer
		again.WriteByte('{')
		ok := jsonscan.Members(b, func(name, value []byte) {
			if again.Len() > 1 {
				again.WriteByte(',')
			}
			again.Write(name)
			again.WriteByte(':')
			again.Write(value)
			var want string
			if err := json.Unmarshal(name, &want); err != nil {
				t.Fatalf("name %s: %v", name, err)
			}
			if got := string(jsonscan.AppendString(nil, name)); got != want {
				t.Fatalf("name %s is %q, want %q", name, got, want)
			}
		})
		again.WriteByte('}')
		trimmed := bytes.TrimLeft(b, " \t\r\n")
		if want := jsonscan.Check(b).Valid && trimmed[0] == '{'; ok != want {
			t.Fatalf("%q is an object: %v, want %v", b, ok, want)
		}
		if !ok {
			if again.Len() > 2 {
				t.Fatal("visited in vain")
			}
			return
		}
		var got, want bytes.Buffer
		if err := json.Compact(&want, b); err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&got, again.Bytes()); err != nil {
			t.Fatalf("%q became %q: %v", b, again.Bytes(), err)
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatalf("%q became %q", want.Bytes(), got.Bytes())
		}
	})
}
