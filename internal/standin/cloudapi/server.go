package cloudapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/semaphore"
)

const (
	// bodyPatience is how long a client may take for a request, and
	// answerPatience for an answer, beyond that.
	bodyPatience   = time.Minute
	answerPatience = time.Minute
	idlePatience   = 2 * time.Minute
	maxHeaderBytes = 16 << 10
	maxConnections = 1024
	// drainPatience is how long requests that have begun may take when the server
	// stops.
	drainPatience = 10 * time.Second
)

// Server is a running API. Its methods are safe for concurrent use.
type Server struct {
	options  Options
	store    *store
	sealer   sealer
	accounts map[string]*account
	clients  []Client
	bodies   *semaphore.Weighted // bytes of bodies in memory
	decoding *semaphore.Weighted // deliveries that are decoded and stored
	listener net.Listener
	http     http.Server
	served   chan struct{} // closed when nobody is served any more
	close    func() error
	requests atomic.Int64
	admitted atomic.Uint64 // requests to /v1 that were neither refused nor limited
}

// Start opens the data, listens, and serves until [Server.Close]. It fails with
// what [Options.Validate] reports.
func Start(o Options) (_ *Server, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.orDefaults()
	s := &Server{
		options:  o,
		bodies:   semaphore.NewWeighted(maxPendingBytes),
		decoding: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))),
		served:   make(chan struct{}),
	}
	ctx := context.Background() // opening a file is quick
	path, removeData, err := locate(o.Data)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeData())
		}
	}()
	if s.store, err = openStore(ctx, path, o); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.store.close())
		}
	}()
	s.sealer = sealer{s.store.key}
	if o.Faults != nil {
		if err := s.store.setFaults(ctx, *o.Faults); err != nil {
			return nil, err
		}
	}
	if err := s.openAccounts(); err != nil {
		return nil, err
	}
	if err := s.listen(ctx); err != nil {
		return nil, err
	}
	s.close = sync.OnceValue(func() error {
		return errors.Join(s.drain(), s.store.close(), removeData())
	})
	return s, nil
}

// locate returns the file of the data, and what removes it when it is temporary.
func locate(data string) (path string, remove func() error, err error) {
	const name = "readings.db"
	keep := func() error { return nil }
	if data == "" {
		dir, err := os.MkdirTemp("", "feed-cloud-api-")
		return filepath.Join(dir, name), func() error { return os.RemoveAll(dir) }, err
	}
	if data, err = filepath.Abs(data); err != nil {
		return "", nil, err
	}
	if info, err := os.Stat(data); err == nil && info.IsDir() {
		return filepath.Join(data, name), keep, nil
	}
	return data, keep, nil
}

func (s *Server) openAccounts() (err error) {
	s.clients = s.options.Clients
	if len(s.clients) == 0 {
		if s.clients, err = DefaultClients(s.store.path); err != nil {
			return err
		}
	}
	s.accounts = make(map[string]*account, len(s.clients))
	for _, c := range s.clients {
		s.accounts[c.ID] = &account{Client: c, bucket: bucket{rate: s.options.Rate}}
	}
	return nil
}

// listen begins to serve.
func (s *Server) listen(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.options.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w: choose another address", err)
	}
	if s.secure() {
		pair, err := tls.LoadX509KeyPair(s.options.CertFile, s.options.KeyFile)
		if err != nil {
			return errors.Join(fmt.Errorf("read certificate and key: %w", err), l.Close())
		}
		s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	s.listener = l
	s.http.Handler = s.handler()
	s.http.ReadHeaderTimeout = s.options.headerPatience
	s.http.ReadTimeout = bodyPatience
	s.http.WriteTimeout = bodyPatience + answerPatience
	s.http.IdleTimeout = idlePatience
	s.http.MaxHeaderBytes = maxHeaderBytes
	s.http.ErrorLog = slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelDebug)
	limited := netutil.LimitListener(l, maxConnections)
	go func() {
		defer close(s.served)
		var err error
		if s.secure() {
			err = s.http.ServeTLS(limited, "", "")
		} else {
			err = s.http.Serve(limited)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.options.Logger.Error("no longer listening", "error", err)
		}
	}()
	return nil
}

// drain lets requests that have begun end.
func (s *Server) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainPatience)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests have not ended: %w", err), s.http.Close())
	}
	<-s.served
	return err
}

// Close stops listening, lets requests that have begun end within 10 s, closes
// the data and removes it when it is temporary. Idempotent.
func (s *Server) Close() error { return s.close() }

// URL is where the API is, without a path.
func (s *Server) URL() string {
	scheme := "http"
	if s.secure() {
		scheme = "https"
	}
	return scheme + "://" + s.listener.Addr().String()
}

func (s *Server) secure() bool { return s.options.CertFile != "" }

// Clients returns those that may ask for tokens.
func (s *Server) Clients() []Client { return s.clients }

// Path is the file of the data.
func (s *Server) Path() string { return s.store.path }

// Stats are figures of a server.
type Stats struct {
	Readings int64 // held
	Requests int64 // since the start, of any kind
}

// Stats returns the figures. It does no I/O.
func (s *Server) Stats() Stats {
	return Stats{Readings: s.store.held.Load(), Requests: s.requests.Load()}
}
