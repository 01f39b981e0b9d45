package wire

import (
	"strings"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// LongestName bounds the name of a stage, in bytes.
const LongestName = 64

// NoStageHas is the name of a key, and of a stage, that checks ask for and that a
// plugin must refuse.
const NoStageHas = "no-stage-has-this-key"

// kinds are the kinds of stages that a plugin can have.
var kinds = map[feed.Kind]pluginpb.Kind{
	feed.KindSource:      pluginpb.Kind_KIND_SOURCE,
	feed.KindTransform:   pluginpb.Kind_KIND_TRANSFORM,
	feed.KindSink:        pluginpb.Kind_KIND_SINK,
	feed.KindExpectation: pluginpb.Kind_KIND_EXPECTATION,
	feed.KindCodec:       pluginpb.Kind_KIND_CODEC,
}

// ToKind returns the protocol's number of a kind; 0, which is unspecified, when a
// plugin cannot have stages of it.
func ToKind(k feed.Kind) pluginpb.Kind { return kinds[k] }

// FromKind returns the kind of a number of the protocol; "" when there is none.
func FromKind(number pluginpb.Kind) feed.Kind {
	for k, n := range kinds {
		if n == number {
			return k
		}
	}
	return ""
}

// IsStageName reports whether a name can be a key in feed.yaml and a label.
func IsStageName(name string) bool {
	return name != "" && len(name) <= LongestName && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}
