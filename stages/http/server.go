package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	nethttp "net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/kraft-edge/datafeed/feed"
)

const (
	headerPatience = 10 * time.Second
	idlePatience   = 2 * time.Minute
	maxHeaderBytes = 64 << 10
	// answerPatience is how long an answer may take to be written.
	answerPatience = 10 * time.Second
)

// server listens and answers.
type server struct {
	config   SourceConfig
	backlog  *backlog
	log      *slog.Logger
	events   *feed.EventCounts
	bytes    *semaphore.Weighted // of bodies
	listener net.Listener
	http     nethttp.Server
	stopping chan struct{} // closed by close
	served   chan struct{} // closed when Serve has returned
	// close answers what waits with 503 and returns when nobody is served any
	// more.
	close func() error
}

// listen starts a server.
func listen(ctx context.Context, c SourceConfig, b *backlog, log *slog.Logger, events *feed.EventCounts) (*server, error) {
	s := &server{
		config: c, backlog: b, log: log, events: events,
		bytes:    semaphore.NewWeighted(int64(c.MaxPendingBytes)),
		stopping: make(chan struct{}),
		served:   make(chan struct{}),
	}
	s.close = sync.OnceValue(s.shutdown)
	secure, err := c.TLS.serverConfig()
	if err != nil {
		return nil, err
	}
	s.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, err
	}
	s.http = nethttp.Server{
		Handler:           s,
		TLSConfig:         secure,
		ReadHeaderTimeout: headerPatience,
		ReadTimeout:       headerPatience + c.Timeout,
		WriteTimeout:      headerPatience + 2*c.Timeout + answerPatience,
		IdleTimeout:       idlePatience,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(s.served)
		var err error
		if secure != nil {
			err = s.http.ServeTLS(s.listener, "", "")
		} else {
			err = s.http.Serve(s.listener)
		}
		if !errors.Is(err, nethttp.ErrServerClosed) {
			log.Error("no longer listening", "error", err)
		}
	}()
	return s, nil
}

func (s *server) address() string { return s.listener.Addr().String() }

func (s *server) shutdown() error {
	close(s.stopping)
	ctx, cancel := context.WithTimeout(context.Background(), answerPatience)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-s.served
	return err
}

// serverConfig returns nil without certificates. The server's own are read anew
// for each connection, so that renewed ones count.
func (t ServerTLS) serverConfig() (*tls.Config, error) {
	if t.CertFile == "" {
		return nil, nil //nolint:nilnil // no TLS is no error
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read tls.certFile and tls.keyFile: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	c := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
	}
	if t.ClientCAFile != "" {
		pem, err := os.ReadFile(t.ClientCAFile)
		if err != nil {
			return nil, fmt.Errorf("read tls.clientCAFile: %w", err)
		}
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("read tls.clientCAFile: no PEM certificate in " + t.ClientCAFile)
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}
