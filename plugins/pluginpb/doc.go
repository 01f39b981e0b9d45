// Package pluginpb is the protocol of plugins as protoc generates it from
// stages.proto, where it is documented. Only the packages below plugins import
// it: authors and hosts of plugins use those.
package pluginpb

//go:generate ../../tools/protocol.sh
