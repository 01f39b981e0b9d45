package main

import (
	"strings"
	"testing"
)

func TestConfirm(t *testing.T) {
	for answer, want := range map[string]bool{"yes\n": true, "yes": true, "y\n": false, "\n": false, "": false, "no\n": false} {
		var asked strings.Builder
		if err := confirm(strings.NewReader(answer), &asked, 5, 2); (err == nil) != want {
			t.Errorf("%q: %v", answer, err)
		}
		if asked.String() != "Remove 5 messages for good, of which 2 messages were neither replayed nor exported? Type yes: " {
			t.Errorf("asked %q", asked.String())
		}
	}
}
