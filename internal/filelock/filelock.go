// Package filelock keeps two processes from using the same files.
package filelock

import "errors"

// ErrTaken is wrapped by the error of [Take] when another process has the lock.
var ErrTaken = errors.New("it is taken")
