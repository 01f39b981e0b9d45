package server

import "syscall"

// childAttributes puts a child into a process group of its own, so that an interrupt typed at a terminal does not reach
// it, and has the kernel kill it when its parent dies.
func childAttributes(credential *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: credential}
}
