package host

import goplugin "github.com/hashicorp/go-plugin"

// protocolVersion is the version of the protocol that the host speaks.
const protocolVersion = 1

// handshakeConfig keeps a plugin that is called by hand from doing anything but
// saying so.
var handshakeConfig = goplugin.HandshakeConfig{MagicCookieKey: "DATAFEED_PLUGIN", MagicCookieValue: "datafeed.plugin.v1"}
