package http

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	nethttp "net/http"
	"strings"
	"time"
)

// contentType is the name of that header as the properties of a message have
// it.
const contentType = "content-type"

// retryAfter is what a client is told to wait, in seconds.
const retryAfter = "1"

// ServeHTTP takes the messages of a request and answers when all have ended.
func (s *server) ServeHTTP(w nethttp.ResponseWriter, r *nethttp.Request) {
	req, err := s.accept(r)
	if err == nil {
		err = s.await(r, req)
	}
	if err != nil {
		status, text := answerTo(err)
		s.events.Add(refusalEvent(status), 1)
		s.log.Debug("request refused", "remote", r.RemoteAddr, "method", r.Method, "path", r.URL.Path, "status", status, "reason", text)
		switch status {
		case nethttp.StatusServiceUnavailable:
			w.Header().Set("Retry-After", retryAfter)
		case nethttp.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", "Bearer")
		case nethttp.StatusMethodNotAllowed:
			w.Header().Set("Allow", "POST, PUT")
		}
		nethttp.Error(w, text, status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// The client may have left; it will send the request again.
	_ = json.NewEncoder(w).Encode(req.ended)
}

// accept reads a request and puts its messages into the backlog. Who may send is
// decided before anything is read.
func (s *server) accept(r *nethttp.Request) (*request, error) {
	topic, ok := s.topic(r.URL.Path)
	switch {
	case !ok:
		return nil, refuse(nethttp.StatusNotFound, "no messages are taken here")
	case r.Method != nethttp.MethodPost && r.Method != nethttp.MethodPut:
		return nil, refuse(nethttp.StatusMethodNotAllowed, "send messages with POST or PUT")
	}
	if err := s.authorize(r); err != nil {
		return nil, err
	}
	limit := int64(s.config.MaxBodyBytes)
	if r.ContentLength > limit {
		return nil, refuse(nethttp.StatusRequestEntityTooLarge, "the body has more than %d bytes", limit)
	}
	room := &reservation{pending: s.bytes}
	kept := false
	defer func() { // also after a panic, which net/http catches
		if !kept {
			room.free()
		}
	}()
	req, err := s.read(r, topic, room)
	kept = err == nil
	return req, err
}

// messageMemory is what a message takes beside its payload, until it is handed
// out.
const messageMemory = 128

// read makes a request; what is allocated for it is taken from room.
func (s *server) read(r *nethttp.Request, topic string, room *reservation) (*request, error) {
	body, err := readBody(r, int64(s.config.MaxBodyBytes), room)
	if err != nil {
		return nil, err
	}
	payloads, err := s.config.Split.split(body, s.config.MaxPending, room)
	if err != nil {
		return nil, err
	}
	req := &request{
		origin: origin{Method: r.Method, Path: r.URL.Path, Remote: r.RemoteAddr, Headers: s.headers(r), Topic: topic},
		items:  make([]item, len(payloads)),
		done:   make(chan struct{}),
		free:   room.free,
	}
	for i, p := range payloads {
		req.items[i] = item{request: req, index: i, payload: p}
	}
	if len(payloads) == 0 {
		req.free()
		close(req.done)
		return req, nil
	}
	if !s.backlog.enter(req) {
		return nil, refuse(nethttp.StatusServiceUnavailable, "too many messages are pending")
	}
	return req, nil
}

// await waits for the end of all messages.
func (s *server) await(r *nethttp.Request, req *request) error {
	patience := time.NewTimer(s.config.Timeout)
	defer patience.Stop()
	var why string
	select {
	case <-req.done:
		return nil
	case <-patience.C:
		why = "the messages have not become durable in time (feed status, or the feed's log, says why)"
	case <-s.stopping:
		why = "the feed stops"
	case <-r.Context().Done():
		why = "the client has left"
	}
	s.backlog.drop(req)
	return refuse(nethttp.StatusServiceUnavailable, "%s: send them again", why)
}

// topic returns the topic of a path, and whether messages are taken there.
func (s *server) topic(path string) (topic string, ok bool) {
	if !strings.HasSuffix(s.config.Path, "/") {
		return s.config.Topic, path == s.config.Path
	}
	rest, ok := strings.CutPrefix(path, s.config.Path)
	if rest == "" {
		rest = s.config.Topic
	}
	return rest, ok
}

// authorize compares hashes, so that the time taken says nothing about the
// token, not even how long it is.
func (s *server) authorize(r *nethttp.Request) error {
	if s.config.BearerToken.IsZero() {
		return nil // or the TLS handshake has asked for a certificate
	}
	want, err := s.config.BearerToken.Reveal()
	if err != nil || want == "" {
		s.log.Error("nobody can send: the bearer token cannot be read, or is empty", "error", err)
		return refuse(nethttp.StatusServiceUnavailable, "the token cannot be checked")
	}
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		return refuse(nethttp.StatusUnauthorized, "the bearer token is missing or wrong")
	}
	return nil
}

// headers returns what is kept of a request's headers.
func (s *server) headers(r *nethttp.Request) map[string]string {
	kept := map[string]string{}
	if t := r.Header.Get(contentType); t != "" {
		kept[contentType] = t
	}
	for _, name := range s.config.Headers {
		if values := r.Header.Values(name); len(values) > 0 {
			kept[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	return kept
}
