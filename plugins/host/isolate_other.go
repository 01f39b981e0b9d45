//go:build !linux

package host

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
)

var errNotLinux = errors.New("plugins run on Linux only: elsewhere the system cannot keep a process from outliving its host")

func supported() error                      { return errNotLinux }
func ownGroup() *syscall.SysProcAttr        { return nil }
func closeOnExec() error                    { return errNotLinux }
func limit(int, int64, uint64) error        { return errNotLinux }
func resident(int) (int64, error)           { return 0, errNotLinux }
func waitForEnd(int) error                  { return errNotLinux }
func signalGroup(int, syscall.Signal) error { return errNotLinux }
func isOurs(string) bool                    { return false }
func ownerOf(fs.FileInfo) (int, bool)       { return 0, false }
func lockDir(string) (io.Closer, error)     { return nil, errNotLinux }
