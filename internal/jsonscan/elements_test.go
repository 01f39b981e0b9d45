package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// FuzzElements compares with encoding/json: the same arrays are read, and their
// elements are the same.
func FuzzElements(f *testing.F) {
	for _, seed := range []string{`[]`, ` [ 1 , {"a":[]} ,"]" ]`, `[1,]`, `{}`, "[\"\xff\"]", ``, `[1]x`, `null`, `[[],[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var got [][]byte
		ok := jsonscan.Elements(b, func(value []byte) bool {
			got = append(got, value)
			return true
		})
		trimmed := bytes.TrimLeft(b, " \t\r\n")
		if want := jsonscan.Check(b).Valid && trimmed[0] == '['; ok != want {
			t.Fatalf("%q is an array: %v, want %v", b, ok, want)
		}
		if !ok {
			if len(got) > 0 {
				t.Fatal("visited in vain")
			}
			return
		}
		var want []json.RawMessage
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%q has %d elements, want %d", b, len(got), len(want))
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("element %d is %q, want %q", i, got[i], want[i])
			}
		}
		visits := 0
		if jsonscan.Elements(b, func([]byte) bool { visits++; return false }); visits != min(1, len(want)) {
			t.Fatalf("%d visits after the first said that it is enough", visits)
		}
	})
}
