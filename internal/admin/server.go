package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/host"
)

// shutdownTimeout is how long requests that have begun may take when the
// server stops.
const shutdownTimeout = 2 * time.Second

// Status is what /status answers: the status of the feed, and its plugins.
type Status struct {
	feed.Status
	Plugins []host.Plugin `json:"plugins,omitempty"`
}

// Options say what a server serves. Its functions are called for each request; they
// are safe for concurrent use.
type Options struct {
	Status func() feed.Status
	// Plugins is nil when there are none.
	Plugins func() []host.Plugin
	// Metrics is what /metrics shows.
	Metrics prometheus.Gatherer
	// ExposeMetrics and ExposeStatus serve these parts to other machines too.
	ExposeMetrics, ExposeStatus bool
	Logger                      *slog.Logger
}

// Serve answers requests on l until ctx ends, and closes l. It returns nil
// after a clean stop. Requests that have begun get a moment to end.
func Serve(ctx context.Context, l net.Listener, opts Options) error {
	server := &http.Server{
		Handler:           handler(opts, local(l.Addr())),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(opts.Logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("admin server: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	if err != nil {
		return fmt.Errorf("stop admin server: %w", err)
	}
	return nil
}

// handler returns the routes of the server. Parts that are not served say so.
func handler(opts Options, local bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		opts.Status() // a feed that cannot even say how it is, is not alive
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // the client has gone: nobody to tell
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		r := readinessOf(opts.Status())
		code := http.StatusOK
		if !r.Ready {
			code = http.StatusServiceUnavailable
		}
		writeJSON(w, code, r)
	})
	part := func(path string, served bool, expose string, h http.Handler) {
		if !served {
			h = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, path+" is not served on an address that other machines can reach; admin: {expose: ["+expose+"]} serves it", http.StatusForbidden)
			})
		}
		mux.Handle("GET "+path, h)
	}
	part("/metrics", local || opts.ExposeMetrics, "metrics", promhttp.HandlerFor(opts.Metrics, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(opts.Logger.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4,
	}))
	part("/status", local || opts.ExposeStatus, "status", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s := Status{Status: opts.Status()}
		if opts.Plugins != nil {
			s.Plugins = opts.Plugins()
		}
		writeJSON(w, http.StatusOK, s)
	}))
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "there is no such page; there are "+strings.Join(endpoints, " "), http.StatusNotFound)
	})
	return mux
}

// endpoints are the paths that the server knows.
var endpoints = []string{"/healthz", "/readyz", "/metrics", "/status"}

// readiness is the answer of /readyz.
type readiness struct {
	Ready    bool       `json:"ready"`
	NotReady []notReady `json:"notReady,omitempty"`
}

type notReady struct {
	Route  string     `json:"route"`
	State  feed.State `json:"state"`
	Reason string     `json:"reason,omitempty"`
	Since  time.Time  `json:"since"`
}

func readinessOf(s feed.Status) readiness {
	r := readiness{Ready: s.Ready}
	for _, route := range s.Routes {
		if !route.Ready {
			r.NotReady = append(r.NotReady, notReady{route.Name, route.State, route.Reason, route.Since})
		}
	}
	return r
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // the client has gone: nobody to tell
}
