package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// MosquittoConfig describes a Mosquitto broker. The zero value lets anyone do anything, keeps all in memory, and limits
// neither what is queued nor what is in flight.
type MosquittoConfig struct {
	// Settings are further lines of mosquitto.conf; they win over the defaults.
	Settings []string

	// TLS, when set, makes the broker listen with TLS only. Clients must show a certificate of the same CA.
	TLS *TLSFiles
}

// Mosquitto is a broker of its own.
type Mosquitto struct {
	dir   string
	ports Ports
	port  int
	proc  process
}

// NewMosquitto prepares a broker that keeps its files in dir, which it creates, and which Close removes.
func NewMosquitto(dir string, config MosquittoConfig) (*Mosquitto, error) {
	program, err := find("mosquitto", "/usr/sbin/mosquitto")
	if err != nil {
		return nil, err
	}
	m := &Mosquitto{dir: dir}
	if err := m.ports.reserveAll(&m.port); err != nil {
		return nil, errors.Join(err, m.ports.Release())
	}
	file := filepath.Join(dir, "mosquitto.conf")
	if err := m.write(file, config); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare mosquitto: %w", err), m.Close())
	}
	m.proc = process{
		name: "mosquitto", path: program, args: []string{"-c", file},
		env: []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"},
		dir: dir, log: filepath.Join(dir, "mosquitto.log"),
	}
	return m, nil
}

func (m *Mosquitto) write(file string, config MosquittoConfig) error {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	lines := []string{"listener " + strconv.Itoa(m.port) + " 127.0.0.1"}
	if config.TLS != nil {
		lines = append(lines,
			"cafile "+config.TLS.CA,
			"certfile "+config.TLS.Cert,
			"keyfile "+config.TLS.Key,
			"require_certificate true",
		)
	}
	if os.Getuid() == 0 {
		// As root it would become the user mosquitto, who cannot read this directory.
		lines = append(lines, "user root")
	}
	lines = append(lines, "log_dest stderr", "log_type error", "log_type warning", "log_type notice",
		"persistence_location "+m.dir+"/")
	defaults := []string{"allow_anonymous true", "persistence false", "max_queued_messages 0", "max_inflight_messages 0", "max_inflight_bytes 0"}
	for _, line := range defaults {
		if !sets(config.Settings, line) {
			lines = append(lines, line)
		}
	}
	lines = append(lines, config.Settings...)
	return os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// sets reports whether one of the lines has the same key as a default.
func sets(lines []string, defaultLine string) bool {
	key, _, _ := strings.Cut(defaultLine, " ")
	for _, line := range lines {
		if own, _, _ := strings.Cut(strings.TrimSpace(line), " "); own == key {
			return true
		}
	}
	return false
}

// Start starts the broker and returns when it takes connections, or when ctx ends. It takes milliseconds.
func (m *Mosquitto) Start(ctx context.Context) error {
	if err := m.proc.start(); err != nil {
		return err
	}
	return m.proc.waitReady(ctx, 10*time.Millisecond, dialable(m.port))
}

// Stop ends the broker in order and returns when it has ended.
func (m *Mosquitto) Stop() error { return m.proc.stop() }

// Kill ends the broker with SIGKILL, as a crash would, and returns when it has ended.
func (m *Mosquitto) Kill() error { return m.proc.kill() }

// Pause freezes the broker: connections stay open, and nothing answers.
func (m *Mosquitto) Pause() error { return m.proc.pause() }

// Resume ends a Pause.
func (m *Mosquitto) Resume() error { return m.proc.resume() }

// Close stops the broker for good, frees its port and removes its directory. It may be called more than once.
func (m *Mosquitto) Close() error {
	return errors.Join(m.proc.kill(), m.ports.Release(), os.RemoveAll(m.dir))
}

// Addr is the broker's host and port.
func (m *Mosquitto) Addr() string { return Address(m.port) }

// Log is the file with the broker's log.
func (m *Mosquitto) Log() string { return m.proc.log }
