package server

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
)

// WALReceiver is a synchronous standby without tables: it keeps a server's write-ahead log, and confirms what it has.
type WALReceiver struct {
	dir  string
	proc process
}

// NewWALReceiver starts a standby of a server that runs. It keeps its files in dir, which it creates, and which Close removes. The
// server knows it by name once it has connected.
func NewWALReceiver(p *PostgreSQL, name, dir string) (*WALReceiver, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	r := &WALReceiver{dir: dir, proc: process{
		name: "pg_receivewal", path: filepath.Join(p.bin, "pg_receivewal"),
		args: []string{
			"--directory", dir, "--synchronous", "--no-loop", "--no-password",
			"--dbname", "host=127.0.0.1 port=" + strconv.Itoa(p.port) + " user=" + p.User + " application_name=" + name,
		},
		env: append(p.proc.env[:len(p.proc.env):len(p.proc.env)], "PGPASSWORD="+p.Password),
		dir: dir, log: filepath.Join(dir, "pg_receivewal.log"),
	}}
	if err := r.proc.start(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Pause keeps it from confirming anything, until Resume.
func (r *WALReceiver) Pause() error { return r.proc.pause() }

// Resume lets it go on after Pause.
func (r *WALReceiver) Resume() error { return r.proc.resume() }

// Close ends it, and removes its files.
func (r *WALReceiver) Close() error { return errors.Join(r.proc.stop(), os.RemoveAll(r.dir)) }
