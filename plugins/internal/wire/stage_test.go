package wire

import (
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Each number of the protocol but 0 is a kind of its own, and back.
func TestKinds(t *testing.T) {
	seen := map[feed.Kind]bool{}
	for number := range pluginpb.Kind_name {
		n := pluginpb.Kind(number)
		k := FromKind(n)
		if (k == "") != (n == pluginpb.Kind_KIND_UNSPECIFIED) || seen[k] || ToKind(k) != n {
			t.Errorf("%v is kind %q, which is %v", n, k, ToKind(k))
		}
		seen[k] = true
	}
	if ToKind(feed.KindObservation) != pluginpb.Kind_KIND_UNSPECIFIED || FromKind(99) != "" {
		t.Error("a kind that no plugin has is one of the protocol")
	}
}

func TestIsStageName(t *testing.T) {
	for name, want := range map[string]bool{
		"scale": true, "a-B_9": true, strings.Repeat("a", LongestName): true,
		"": false, strings.Repeat("a", LongestName+1): false, "a b": false, "é": false, "a.b": false, "a\n": false,
	} {
		if IsStageName(name) != want {
			t.Errorf("%q: got %v", name, !want)
		}
	}
}
