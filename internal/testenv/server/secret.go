package server

import "crypto/rand"

// secret returns a fresh password. A server that knows it is the one that was started with it.
func secret() string { return rand.Text() }
