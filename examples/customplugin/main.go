// Command customplugin is a plugin of two stages: a codec, which unpacks batches
// in a format that only this program knows, and a transform, which converts
// temperatures. A feed starts it and talks to it over a socket; when it dies, it is
// started again, and nothing is lost.
//
//	go build -o bin/customplugin ./examples/customplugin
//	SUM=$(sha256sum < bin/customplugin | cut -c1-64) feed lint examples/customplugin/feed.yaml
package main

import (
	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins"
)

func main() { plugins.Serve("customplugin", "1.0.0", factories()...) }

// factories are the same that a program would put into its registry to run the
// stages in its own process.
func factories() []feed.Factory { return []feed.Factory{linesFactory, celsiusFactory} }
