// Package host runs plugins: stages in processes of their own, which may crash,
// hang, grow or talk nonsense without taking the feed down.
//
// What is executed is a private copy of the file, made while its SHA-256 was
// compared with the one that is pinned; nobody can swap it in between. The process
// gets no environment but what is named, no open file of its host, limits of the
// kernel, and a Unix socket in a directory of mode 0700, with TLS on top where
// both sides are Go. It ends with its host, whatever ends that.
//
// A process that ends, does not answer, or outgrows its memory is replaced by a
// new one after a while, within a budget of restarts. What was in flight at that
// time is sent again by the stages of package remote, one by one where it must
// be, so that a message that kills its plugin is found.
//
// Plugins run on Linux only.
package host
