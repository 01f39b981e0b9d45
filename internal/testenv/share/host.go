package share

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

// serverTimeout bounds the start of one server.
const serverTimeout = 2 * time.Minute

// Host runs shared servers for its clients.
type Host struct {
	root   string
	place  place
	linger time.Duration
	log    *slog.Logger

	mu      sync.Mutex
	slots   map[string]*slot
	clients sync.WaitGroup
}

// slot is one kind of server. Its lock is held while the server starts, so that kinds start side by side.
type slot struct {
	mu      sync.Mutex
	server  running
	grant   Grant
	started int
}

// running is a server that has been started.
type running interface {
	Start(context.Context) error
	Running() bool
	Close() error
}

// NewHost returns a host for the working copy at root, which ends when no lease was held for the time of linger.
func NewHost(root string, linger time.Duration, log *slog.Logger) (*Host, error) {
	place, err := placeOf(root)
	if err != nil {
		return nil, fmt.Errorf("host test servers: %w", err)
	}
	return &Host{root: root, place: place, linger: linger, log: log, slots: map[string]*slot{}}, nil
}

// Run serves clients until nobody has held a lease for a while, or until ctx ends. It stops the servers before it
// returns.
func (h *Host) Run(ctx context.Context) (err error) {
	lock, err := h.place.lockHost()
	if err != nil {
		return fmt.Errorf("host test servers: %w", err)
	}
	defer lock.Close()
	// No other host lives: what is there was left by one that was killed.
	for _, stale := range []string{h.place.socket(), h.place.servers()} {
		if err := os.RemoveAll(stale); err != nil {
			return fmt.Errorf("host test servers: remove what a killed host left: %w", err)
		}
	}
	if err := os.Mkdir(h.place.servers(), 0o711); err != nil {
		return fmt.Errorf("host test servers: %w", err)
	}
	listener, err := net.Listen("unix", h.place.socket())
	if err != nil {
		return fmt.Errorf("host test servers: %w", err)
	}
	defer func() {
		// Whoever connects from now on finds no answer, and waits for the next host.
		closed := listener.Close()
		if errors.Is(closed, net.ErrClosed) {
			closed = nil
		}
		err = errors.Join(err, closed, h.stop())
	}()
	return h.serve(ctx, listener)
}

// serve accepts clients until the last one has been gone for a while.
func (h *Host) serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer h.clients.Wait()
	defer cancel()
	arrived := make(chan net.Conn)
	failed := make(chan error, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				failed <- err
				return
			}
			select {
			case arrived <- conn:
			case <-ctx.Done():
				conn.Close()
				return
			}
		}
	}()
	left := make(chan struct{})
	held := 0
	idle := time.NewTimer(h.linger)
	defer idle.Stop()
	for {
		select {
		case conn := <-arrived:
			held++
			idle.Stop()
			h.clients.Go(func() {
				h.serveClient(ctx, conn)
				select {
				case left <- struct{}{}:
				case <-ctx.Done():
				}
			})
		case <-left:
			if held--; held == 0 {
				idle.Reset(h.linger)
			}
		case <-idle.C:
			h.log.Info("nobody uses the servers any more")
			return nil
		case err := <-failed:
			return fmt.Errorf("host test servers: %w", err)
		case <-ctx.Done():
			return nil
		}
	}
}

// serveClient answers a client's request and returns when the client is gone.
func (h *Host) serveClient(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var asked request
	if err := json.NewDecoder(conn).Decode(&asked); err != nil {
		return // it only looked whether somebody listens
	}
	var answer reply
	grant, err := h.grant(ctx, asked.Server)
	if err != nil {
		h.log.Error("start server", "server", asked.Server, "err", err)
		answer.Error = err.Error()
	}
	answer.Grant = grant
	if err := json.NewEncoder(conn).Encode(answer); err != nil {
		return // the client is gone
	}
	// It sends nothing more: this ends when it closes the connection or dies.
	_, _ = io.Copy(io.Discard, conn)
}

// grant returns how to reach a server, and starts it unless it runs.
func (h *Host) grant(ctx context.Context, name string) (Grant, error) {
	h.mu.Lock()
	s, ok := h.slots[name]
	if !ok {
		s = &slot{}
		h.slots[name] = s
	}
	h.mu.Unlock()

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil && s.server.Running() {
		return s.grant, nil
	}
	if s.server != nil {
		h.log.Warn("server ended by itself", "server", name)
		if err := s.server.Close(); err != nil {
			return Grant{}, err
		}
		s.server = nil
	}
	ctx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	begin := time.Now()
	// A port that was free can be taken before the server listens: then others are tried.
	for attempt := 1; ; attempt++ {
		s.started++
		candidate, describe, err := h.prepare(name, filepath.Join(h.place.servers(), fmt.Sprintf("%s-%d", name, s.started)))
		if err != nil {
			return Grant{}, err
		}
		if err := candidate.Start(ctx); err != nil {
			err = errors.Join(err, candidate.Close())
			if server.IsPortTaken(err) && attempt < 3 {
				continue
			}
			return Grant{}, err
		}
		s.server, s.grant = candidate, describe()
		h.log.Info("server started", "server", name, "addr", s.grant.Addr, "took", time.Since(begin))
		return s.grant, nil
	}
}

// prepare makes a server, not started yet, that keeps its files in dir, and says how its grant is made.
func (h *Host) prepare(name, dir string) (running, func() Grant, error) {
	switch name {
	case RabbitMQ:
		s, err := server.NewRabbitMQ(dir, server.RabbitMQConfig{})
		return s, func() Grant {
			return Grant{Addr: s.Addr(), API: s.API.Base(), User: s.User, Password: s.Password}
		}, err
	case PostgreSQL:
		s, err := server.NewPostgreSQL(dir, server.PostgreSQLConfig{})
		return s, func() Grant { return Grant{Addr: s.Addr(), User: s.User, Password: s.Password} }, err
	case Azurite:
		s, err := server.NewAzurite(dir, server.AzuriteConfig{Program: AzuriteProgram(h.root)})
		return s, func() Grant { return Grant{Addr: s.Addr(), User: s.AccountName, Password: s.AccountKey} }, err
	default:
		return nil, nil, fmt.Errorf("no server is called %q", name)
	}
}

// AzuriteProgram is where "make setup" installs Azurite.
func AzuriteProgram(root string) string {
	return filepath.Join(root, ".cache", "npm", "node_modules", ".bin", "azurite-blob")
}

// stop stops all servers.
func (h *Host) stop() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, s := range h.slots {
		s.mu.Lock()
		if s.server != nil {
			errs = append(errs, s.server.Close())
			s.server = nil
		}
		s.mu.Unlock()
	}
	return errors.Join(append(errs, os.RemoveAll(h.place.servers()))...)
}
