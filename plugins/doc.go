// Package plugins makes a plugin of stages: a program of its own, which a feed
// starts and restarts, and which cannot take the feed down.
//
//	func main() {
//		plugins.Serve("acme", "1.2.0", codec.Factory(), transform.Factory())
//	}
//
// The stages are the very same that a feed takes in its own process: sources,
// transforms, sinks, expectations and codecs, made with their factories. What they
// write to the logger of their [feed.StageEnv] becomes log records of the feed;
// what they print to standard output is lost.
//
// A stage in a plugin differs from one within the feed in these things:
//
//   - A transform gets messages of its own. What it returns takes the place of the
//     feed's message; what it does to a message that it does not return has no
//     effect. Nor has what it writes into the bytes of a payload, which it must not
//     do in a feed, either: it replaces the payload.
//   - Messages are sent as text and bytes: id and metadata must be UTF-8, and a
//     message with what was made of it at most 64 MiB long.
//   - Stages are opened when they are first of use, and again after the process
//     was restarted: what must outlive that belongs into a file or a database.
//   - A sink that keeps checkpoints and a source that is a stream are, to the
//     feed, a sink and a queue: offsets do not cross the process.
//
// A message that kills the process twice while nothing else is in flight goes to
// the quarantine. docs/plugins.md is for operators, docs/plugin-protocol.md for
// those who write a plugin in another language, package plugintest for authors'
// tests.
package plugins
