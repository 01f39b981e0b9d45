package wire

import (
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// What a plugin says of a failure is a text that is not long, whatever it has sent.
func TestFailureIsNotLong(t *testing.T) {
	for sent, want := range map[string]string{
		"why":                            "why",
		"":                               "a failure without a text",
		strings.Repeat("x", 1<<20):       strings.Repeat("x", failureTextLong) + "…",
		strings.Repeat("ü", 1<<15) + "x": strings.Repeat("ü", failureTextLong/2) + "…",
	} {
		if got := FailureFrom(&pluginpb.Failure{Text: sent, Permanent: true}); got.Text != want || !got.Permanent {
			t.Errorf("a text of %d bytes became one of %d, %.40q", len(sent), len(got.Text), got.Text)
		}
	}
}
