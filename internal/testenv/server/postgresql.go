package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// PostgreSQLConfig describes a PostgreSQL server. The zero value is complete.
type PostgreSQLConfig struct {
	// Settings are further ones, such as "work_mem=8MB"; they win over the defaults.
	Settings []string
}

// PostgreSQL is a database server of its own. It does not sync to disk: it is for tests.
type PostgreSQL struct {
	User     string
	Password string // a throw-away secret of this server

	dir     string
	bin     string
	pidFile string // names the running server
	ports   Ports
	port    int
	proc    process
}

// NewPostgreSQL prepares a server that keeps its files in dir, which it creates, and which Close removes.
func NewPostgreSQL(dir string, config PostgreSQLConfig) (*PostgreSQL, error) {
	program, err := find("postgres", "/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return nil, err
	}
	credential, err := unprivileged()
	if err != nil {
		return nil, fmt.Errorf("prepare postgresql: %w", err)
	}
	p := &PostgreSQL{User: "datafeed", Password: secret(), dir: dir, bin: filepath.Dir(program)}
	if err := p.ports.reserveAll(&p.port); err != nil {
		return nil, errors.Join(err, p.ports.Release())
	}
	data := filepath.Join(dir, "data")
	p.pidFile = filepath.Join(data, "postmaster.pid")
	p.proc = process{
		name: "postgresql", path: program,
		args: []string{
			"-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(p.port),
			"-c", "unix_socket_directories=",
			"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
			"-c", "max_connections=200", "-c", "shared_buffers=64MB",
			"-c", "logging_collector=off",
		},
		env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "TZ=UTC"},
		dir: dir, log: filepath.Join(dir, "postgresql.log"), credential: credential,
	}
	for _, setting := range config.Settings {
		p.proc.args = append(p.proc.args, "-c", setting)
	}
	if err := p.initialize(data); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare postgresql: %w", err), p.Close())
	}
	return p, nil
}

// initialize creates the database cluster.
func (p *PostgreSQL) initialize(data string) error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	password := filepath.Join(p.dir, "password")
	if err := os.WriteFile(password, []byte(p.Password), 0o600); err != nil {
		return err
	}
	for _, path := range []string{p.dir, password} {
		if err := p.Own(path); err != nil {
			return err
		}
	}
	cmd := exec.Command(filepath.Join(p.bin, "initdb"),
		"--pgdata", data, "--username", p.User, "--pwfile", password, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--no-locale", "--no-sync")
	cmd.Env, cmd.Dir = p.proc.env, p.dir
	cmd.SysProcAttr = childAttributes(p.proc.credential)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Own gives a file or directory to the user that the server runs as.
func (p *PostgreSQL) Own(path string) error {
	if c := p.proc.credential; c != nil {
		return os.Chown(path, int(c.Uid), int(c.Gid))
	}
	return nil
}

// unprivileged returns the user to run as when this process is root, whom PostgreSQL refuses; nil otherwise.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		if account, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// Start starts the server and returns when it takes connections, or when ctx ends.
func (p *PostgreSQL) Start(ctx context.Context) error {
	if err := p.proc.start(); err != nil {
		return err
	}
	return p.proc.waitReady(ctx, 50*time.Millisecond, func(ctx context.Context) error {
		return exec.CommandContext(ctx, filepath.Join(p.bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(p.port)).Run()
	})
}

// Stop ends the server in order, without waiting for its clients, and returns when it has ended.
func (p *PostgreSQL) Stop() error {
	return errors.Join(p.proc.signal(syscall.SIGINT), p.proc.stop())
}

// Kill ends the server and all its children with SIGKILL, as a crash of the machine would end them, and returns when they
// have ended.
func (p *PostgreSQL) Kill() error {
	children, err := p.children()
	if err != nil {
		return err
	}
	// The server first: it would start its children anew.
	err = p.proc.kill()
	for _, pid := range children {
		err = errors.Join(err, p.killChild(pid))
	}
	return err
}

// children returns the processes of the server, which are in process groups of their own.
func (p *PostgreSQL) children() ([]int, error) {
	raw, err := os.ReadFile(p.pidFile)
	if err != nil {
		return nil, err
	}
	pid, _, _ := strings.Cut(string(raw), "\n")
	var children []int
	lists, err := filepath.Glob("/proc/" + pid + "/task/*/children")
	if err != nil {
		return nil, err
	}
	for _, list := range lists {
		raw, err := os.ReadFile(list)
		if err != nil {
			return nil, err
		}
		for _, field := range strings.Fields(string(raw)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			children = append(children, child)
		}
	}
	return children, nil
}

// killChild ends a process that is no child of this one, and returns when it has ended. Not before may the server start
// again: they share memory.
func (p *PostgreSQL) killChild(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill child %d of %s: %w", pid, p.proc.name, err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(stopGrace); ; <-tick.C {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") { // a zombie holds nothing any more
			return nil //nolint:nilerr // what is not there has ended
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("kill child %d of %s: it still runs %v after SIGKILL", pid, p.proc.name, stopGrace)
		}
	}
}

// Running reports whether the server's process lives.
func (p *PostgreSQL) Running() bool { return p.proc.running() }

// Close stops the server for good, frees its port and removes its directory. It may be called more than once.
func (p *PostgreSQL) Close() error {
	// SIGQUIT ends the server and its children at once; after SIGKILL the children would take a moment to notice.
	err := p.proc.signal(syscall.SIGQUIT)
	p.proc.endsWithin(stopGrace)
	return errors.Join(err, p.proc.kill(), p.ports.Release(), os.RemoveAll(p.dir))
}

// Addr is the server's host and port.
func (p *PostgreSQL) Addr() string { return Address(p.port) }
