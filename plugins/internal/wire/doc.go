// Package wire is what the two Go ends of a plugin share: the handshake, the
// options of gRPC, and an encoding by hand of the messages of which there are
// many. The bytes are those that plugins/pluginpb/stages.proto describes, so that
// the other end may be in any language.
//
// What a feed sends in thousands, batches of messages and what was made of them,
// is encoded from and decoded into Watermill's messages directly: a [Frame] on the
// way out, [TransformRequest], [TransformResponse], [SinkRequest] and
// [SourceResponse] on the way in. All else is pluginpb's generated code.
package wire
