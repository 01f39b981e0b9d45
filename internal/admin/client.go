package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// The bounds of what a client waits for and reads.
const (
	clientTimeout = 5 * time.Second
	maxStatus     = 16 << 20
)

// FetchStatus asks the feed at address, a host and port, for its status.
func FetchStatus(ctx context.Context, address string) (_ Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return Status{}, fmt.Errorf("address %q: write host:port such as 127.0.0.1:8686", address)
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: "/status"}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Status{}, fmt.Errorf("ask for the status: %w", err)
	}
	transport := &http.Transport{DisableKeepAlives: true} // no proxy: the feed is near
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Status{}, fmt.Errorf("no feed answers at %s: is it running, and is that its admin.address?", u.Host)
	case errors.Is(err, context.DeadlineExceeded):
		return Status{}, fmt.Errorf("no answer from %s within %v", u.Host, clientTimeout)
	case err != nil:
		return Status{}, fmt.Errorf("ask for the status: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxStatus))
	if err != nil {
		return Status{}, fmt.Errorf("read the status: %w", err)
	}
	var s Status
	if resp.StatusCode != http.StatusOK {
		return Status{}, fmt.Errorf("%s answers %s: %s", u.Host, resp.Status, strings.TrimSpace(string(body[:min(len(body), 300)])))
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return Status{}, fmt.Errorf("%s answers something that is no status: is it a feed?", u.Host)
	}
	return s, nil
}
