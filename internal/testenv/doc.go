// Package testenv gives tests real servers: RabbitMQ, Mosquitto, PostgreSQL, Azurite and the API server of Kubernetes, as
// private child processes on free ports of 127.0.0.1, beside whatever else runs on the machine.
//
//	vhost := testenv.RabbitMQ(t)             // a fresh vhost on a node that all test binaries share
//	node := testenv.PrivateRabbitMQ(t)       // a node to stop, kill, pause and fill up
//	broker := testenv.Mosquitto(t)           // a broker of this test's own
//	container := testenv.Azurite(t)          // a fresh container on a shared server
//	azurite := testenv.PrivateAzurite(t)     // a server to stop, kill and pause
//	database := testenv.PostgreSQL(t)        // a fresh database on a shared server
//	server := testenv.PrivatePostgreSQL(t)   // a server to stop, kill and fill up
//	standby := server.Standby()              // whom its commits wait for, to pause
//	api := testenv.Kubernetes(t, programs)   // an API server with nothing behind it, of programs that the test brings
//	proxy := testenv.Proxy(t, vhost.Addr)    // a connection to cut and to block
//	files := testenv.CA(t)                   // certificates for TLS
//
// All of them end with the test, and none of them leaves a process or a goroutine behind, not even when the test binary
// is killed: see packages server and share.
//
// Under "go test -short" these functions skip the test. When a server is not installed they fail it: a test that
// silently does not run protects nothing.
package testenv
