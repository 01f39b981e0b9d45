package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// RabbitMQAPI speaks to the HTTP API of a node. It is far faster than rabbitmqctl, which starts an Erlang VM each time.
type RabbitMQAPI struct {
	base, user, password string
	client               *http.Client
}

func newRabbitMQAPI(base, user, password string) *RabbitMQAPI {
	return &RabbitMQAPI{
		base: base, user: user, password: password,
		// Idle connections would keep goroutines, which a test that looks for leaks would find.
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

// NewRabbitMQAPI returns the API of a node that another process started.
func NewRabbitMQAPI(base, user, password string) *RabbitMQAPI {
	return newRabbitMQAPI(base, user, password)
}

// Base is the root of the API's URLs.
func (a *RabbitMQAPI) Base() string { return a.base }

// An APIError is an answer other than success.
type APIError struct {
	Method, Path string
	Status       int
	Body         string
}

// Error implements error.
func (e *APIError) Error() string {
	return fmt.Sprintf("rabbitmq API: %s %s: status %d: %s", e.Method, e.Path, e.Status, e.Body)
}

// Do sends one request: path is below /api and escaped already (see Path); in is sent as JSON unless nil, and the
// answer is decoded into out unless nil. An answer other than 2xx is an *APIError.
func (a *RabbitMQAPI) Do(ctx context.Context, method, path string, in, out any) error {
	body := &bytes.Buffer{}
	if in != nil {
		if err := json.NewEncoder(body).Encode(in); err != nil {
			return fmt.Errorf("rabbitmq API: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, a.base+"/api"+path, body)
	if err != nil {
		return fmt.Errorf("rabbitmq API: %w", err)
	}
	request.SetBasicAuth(a.user, a.password)
	request.Header.Set("Content-Type", "application/json")
	response, err := a.client.Do(request)
	if err != nil {
		return fmt.Errorf("rabbitmq API: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		text, err := io.ReadAll(io.LimitReader(response.Body, 2000))
		if err != nil {
			return fmt.Errorf("rabbitmq API: %s %s: status %d: %w", method, path, response.StatusCode, err)
		}
		return &APIError{Method: method, Path: path, Status: response.StatusCode, Body: strings.TrimSpace(string(text))}
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("rabbitmq API: %s %s: decode answer: %w", method, path, err)
	}
	return nil
}

// Path joins segments of a path and escapes each.
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// ready succeeds once the node listens for AMQP on the port: it answers only after login with this node's own secret, so
// that a stranger on the same port is not taken for it.
func (a *RabbitMQAPI) ready(ctx context.Context, port int) error {
	return a.Do(ctx, http.MethodGet, fmt.Sprintf("/health/checks/port-listener/%d", port), nil, nil)
}

// CreateVhost creates a vhost that the API's own user may use without limits.
func (a *RabbitMQAPI) CreateVhost(ctx context.Context, vhost string) error {
	if err := a.Do(ctx, http.MethodPut, Path("vhosts", vhost), struct{}{}, nil); err != nil {
		return err
	}
	return a.Permit(ctx, vhost, a.user)
}

// DeleteVhost deletes a vhost with all that is in it, and closes its connections.
func (a *RabbitMQAPI) DeleteVhost(ctx context.Context, vhost string) error {
	return a.Do(ctx, http.MethodDelete, Path("vhosts", vhost), nil, nil)
}

// CreateUser creates a user. Without a password it can log in with a certificate only.
func (a *RabbitMQAPI) CreateUser(ctx context.Context, name, password string) error {
	user := map[string]string{"tags": "", "password": password}
	if password == "" {
		user = map[string]string{"tags": "", "password_hash": ""}
	}
	return a.Do(ctx, http.MethodPut, Path("users", name), user, nil)
}

// Permit lets a user do everything in a vhost.
func (a *RabbitMQAPI) Permit(ctx context.Context, vhost, user string) error {
	all := map[string]string{"configure": ".*", "write": ".*", "read": ".*"}
	return a.Do(ctx, http.MethodPut, Path("permissions", vhost, user), all, nil)
}

// QueueInfo says what a queue held at the node's last count, at most about a second ago.
type QueueInfo struct {
	Messages  int    `json:"messages"` // ready and unacknowledged
	Ready     int    `json:"messages_ready"`
	Unacked   int    `json:"messages_unacknowledged"`
	Consumers int    `json:"consumers"`
	Type      string `json:"type"` // classic, quorum or stream
}

// Queue returns the figures of a queue. Right after it was declared they may be zero whatever it holds.
func (a *RabbitMQAPI) Queue(ctx context.Context, vhost, name string) (QueueInfo, error) {
	var info QueueInfo
	err := a.Do(ctx, http.MethodGet, Path("queues", vhost, name), nil, &info)
	return info, err
}

// Connections returns the names of the connections that are open in a vhost.
func (a *RabbitMQAPI) Connections(ctx context.Context, vhost string) ([]string, error) {
	var list []struct {
		Name string `json:"name"`
	}
	if err := a.Do(ctx, http.MethodGet, Path("vhosts", vhost, "connections"), nil, &list); err != nil {
		return nil, err
	}
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Name
	}
	return names, nil
}

// CloseConnection closes a connection from the broker's side. It is no error when it is gone already.
func (a *RabbitMQAPI) CloseConnection(ctx context.Context, name string) error {
	err := a.Do(ctx, http.MethodDelete, Path("connections", name), nil, nil)
	if failed, ok := errors.AsType[*APIError](err); ok && failed.Status == http.StatusNotFound {
		return nil
	}
	return err
}
