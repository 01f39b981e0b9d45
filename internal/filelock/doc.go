// Package filelock takes locks that the kernel drops when their process ends,
// whatever ends it.
package filelock

import "errors"

// ErrTaken says that another process, or another part of this one, has the lock.
var ErrTaken = errors.New("the lock is taken")
