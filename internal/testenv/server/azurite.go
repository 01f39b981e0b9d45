package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// AzuriteConfig describes an Azurite blob server.
type AzuriteConfig struct {
	// Program is the path of azurite-blob; when empty, PATH is searched.
	Program string

	// Persistent keeps blobs on disk, so that they survive a restart. Otherwise they are in memory.
	Persistent bool
}

// Azurite emulates Azure Blob Storage.
type Azurite struct {
	AccountName string
	AccountKey  string // a throw-away secret of this server

	dir   string
	ports Ports
	port  int
	proc  process
}

// withoutCollection is loaded before Azurite. Azurite collects garbage each ten minutes, and sorts all that is left for
// every piece that it removes: after the tests have written and deleted tens of thousands it answers nobody for minutes.
const withoutCollection = `const constants = require(require('path').join(require('fs').realpathSync(process.argv[1]), '..', 'utils', 'constants.js'));
if (!(constants.DEFAULT_GC_INTERVAL_MS > 0)) throw new Error('this Azurite has its interval of garbage collection elsewhere');
constants.DEFAULT_GC_INTERVAL_MS = 2 ** 31 - 1; // weeks: no timer takes more
`

// NewAzurite prepares a server that keeps its files in dir, which it creates, and which Close removes.
func NewAzurite(dir string, config AzuriteConfig) (*Azurite, error) {
	program := config.Program
	if program == "" || !exists(program) {
		var err error
		if program, err = find("azurite-blob"); err != nil {
			return nil, err
		}
	}
	var key [64]byte
	rand.Read(key[:])
	a := &Azurite{AccountName: "datafeed", AccountKey: base64.StdEncoding.EncodeToString(key[:]), dir: dir}
	if err := a.ports.reserveAll(&a.port); err != nil {
		return nil, errors.Join(err, a.ports.Release())
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare azurite: %w", err), a.Close())
	}
	before := filepath.Join(dir, "without-collection.js")
	if err := os.WriteFile(before, []byte(withoutCollection), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare azurite: %w", err), a.Close())
	}
	args := []string{
		"--blobHost", "127.0.0.1", "--blobPort", strconv.Itoa(a.port),
		// The client library is younger than the API versions that Azurite knows.
		"--skipApiVersionCheck",
		"--silent", "--disableTelemetry",
	}
	if config.Persistent {
		args = append(args, "--location", filepath.Join(dir, "data"))
	} else {
		args = append(args, "--inMemoryPersistence")
	}
	a.proc = process{
		name: "azurite", path: program, args: args,
		env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + dir,
			"AZURITE_ACCOUNTS=" + a.AccountName + ":" + a.AccountKey,
			"NODE_OPTIONS=--require=" + strconv.Quote(before),
		},
		dir: dir, log: filepath.Join(dir, "azurite.log"),
	}
	return a, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Start starts the server and returns when it takes connections, or when ctx ends. It takes a second or two.
func (a *Azurite) Start(ctx context.Context) error {
	if err := a.proc.start(); err != nil {
		return err
	}
	return a.proc.waitReady(ctx, 50*time.Millisecond, dialable(a.port))
}

// Stop ends the server in order and returns when it has ended.
func (a *Azurite) Stop() error { return a.proc.stop() }

// Kill ends the server with SIGKILL, as a crash would, and returns when it has ended.
func (a *Azurite) Kill() error { return a.proc.kill() }

// Pause freezes the server: connections stay open, and nothing answers.
func (a *Azurite) Pause() error { return a.proc.pause() }

// Resume ends a Pause.
func (a *Azurite) Resume() error { return a.proc.resume() }

// Running reports whether the server's process lives.
func (a *Azurite) Running() bool { return a.proc.running() }

// Close stops the server for good, frees its port and removes its directory. It may be called more than once.
func (a *Azurite) Close() error {
	return errors.Join(a.proc.kill(), a.ports.Release(), os.RemoveAll(a.dir))
}

// Addr is the server's host and port.
func (a *Azurite) Addr() string { return Address(a.port) }

// ServiceURL is the URL of the account, without a trailing slash.
func (a *Azurite) ServiceURL() string { return AzuriteURL(a.Addr(), a.AccountName) }

// AzuriteURL is the URL of an account on an Azurite server, without a trailing slash.
func AzuriteURL(addr, account string) string { return "http://" + addr + "/" + account }

// AzuriteConnectionString is what clients of Azure Storage take to reach an account on an Azurite server.
func AzuriteConnectionString(addr, account, key string) string {
	return strings.Join([]string{
		"DefaultEndpointsProtocol=http",
		"AccountName=" + account,
		"AccountKey=" + key,
		"BlobEndpoint=" + AzuriteURL(addr, account),
	}, ";") + ";"
}
