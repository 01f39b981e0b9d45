package wire

import "github.com/hashicorp/go-plugin"

// Version is the protocol's, the number in the package of stages.proto.
const Version = 1

// ServiceName is the name under which go-plugin dispenses the stages.
const ServiceName = "stages"

// Handshake is how a plugin knows that a host has started it, and not a person.
var Handshake = plugin.HandshakeConfig{
	MagicCookieKey:   "DATAFEED_PLUGIN",
	MagicCookieValue: "datafeed.plugin.v1",
}
