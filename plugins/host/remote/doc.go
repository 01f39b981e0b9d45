// Package remote makes the stages of a plugin of the calls of its process: what a
// feed uses are ordinary transforms, sinks, sources, expectations and codecs.
//
// Every request has a deadline, and every answer is checked. A process that does not
// answer in time or answers what it cannot have meant is told to its supervisor
// ([Conn]), which kills it and starts another one.
//
// # When a process dies
//
// What was in flight is sent again to the next process, one message at a time and
// nothing else beside it: no other call of any stage of the plugin. A message
// during which the process dies again, twice, gets a permanent error, and so goes to
// the quarantine. A process that somebody else kills condemns nothing: what was in
// flight passes when it comes again. When no process can be had, a transform and a
// sink return a transient error: the route holds the messages and tries again.
package remote
