// Package server runs real servers (RabbitMQ, Mosquitto, PostgreSQL, Azurite, the API server of Kubernetes) as private child
// processes on free ports of 127.0.0.1, in a directory of their own, beside whatever else runs on the machine.
//
// It knows nothing of tests, so that the demo and the process that shares servers between test binaries can use it too;
// tests use package testenv. It needs Linux: a child dies with its parent by PR_SET_PDEATHSIG, even when the parent is
// killed by SIGKILL.
//
// Every server is made by a constructor that only reserves ports and writes files, started by Start, and given up by
// Close, which stops it, frees its ports and removes its directory. Between Start and Close it may be stopped, killed,
// paused and started again: port, credentials and data stay the same.
package server
