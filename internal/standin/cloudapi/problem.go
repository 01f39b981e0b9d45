package cloudapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// problem is an answer that is no success (RFC 9457).
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`

	retryAfter time.Duration
	challenge  string // WWW-Authenticate
}

func (p *problem) Error() string { return p.Detail }

// refuse makes the answer to a request that is wrong, or cannot be served now.
func refuse(status int, format string, a ...any) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, a...)}
}

// after says when to try again.
func (p *problem) after(d time.Duration) *problem {
	p.retryAfter = d
	return p
}

// problemOf returns what a client is told of an error; own reports whether it is
// the server's fault, and not told.
func problemOf(err error) (p *problem, own bool) {
	if errors.As(err, &p) {
		return p, false
	}
	return refuse(http.StatusServiceUnavailable, "the store cannot be used now: try again").after(time.Second), true
}

func (p *problem) write(w http.ResponseWriter) {
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if p.challenge != "" {
		w.Header().Set("WWW-Authenticate", p.challenge)
	}
	answer(w, p.Status, "application/problem+json", p)
}

// answer sends v as JSON.
func answer(w http.ResponseWriter, status int, contentType string, v any) {
	body, err := json.Marshal(v)
	if err != nil { // what is answered is made of texts and numbers
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, status, contentType, append(body, '\n'))
}

// send writes an answer. A client that has gone asks again.
func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
