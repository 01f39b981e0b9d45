// Package share lets the test binaries of one run use the same servers.
//
// The first test that needs a shared server starts a host: a process of its own that starts servers as they are asked
// for. Whoever uses a server holds a lease, which is an open connection to the host: the kernel closes it even when the
// holder is killed. When nobody has held a lease for a while, the host stops its servers and ends. A host that is killed
// takes its servers with it, and the next one removes what it left on disk. There is one host per user and working copy.
package share
