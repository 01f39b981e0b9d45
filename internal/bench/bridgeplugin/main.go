// Command bridgeplugin is the plugin of the benchmark: it serves the feed's own
// bridge, under another name, so that the same transform can be measured in a
// plugin and in the feed's process.
package main

import (
	"github.com/kraft-edge/datafeed/plugins"
	"github.com/kraft-edge/datafeed/stages/bridge"
)

// stageName is what the configuration of the benchmark calls the bridge.
const stageName = "plugin-bridge"

func main() {
	factories := bridge.Factories()
	for i := range factories {
		factories[i].Name = stageName // a feed has its own by the other name
	}
	plugins.Serve("bridgeplugin", "1.0.0", factories...)
}
