package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// pageSize is how many readings a page of the cloud API has at most.
const pageSize = 10_000

// apiClient reads what a cloud API serves, over HTTP as anybody would.
type apiClient struct {
	base, id, secret string
	http             *http.Client
	token            string
}

// newAPIClient returns a client with the permission to read.
func newAPIClient(s *cloudapi.Server) (*apiClient, error) {
	for _, c := range s.Clients() {
		for _, scope := range c.Scopes {
			if scope == cloudapi.ScopeRead {
				secret, err := c.Secret.Reveal()
				return &apiClient{base: s.URL(), id: c.ID, secret: secret, http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}}, err
			}
		}
	}
	return nil, fmt.Errorf("no client of the cloud API has the scope %s", cloudapi.ScopeRead)
}

func (c *apiClient) close() { c.http.CloseIdleConnections() }

// readings records all readings, page by page, and returns how many pages there
// were.
func (c *apiClient) readings(ctx context.Context, to witness.Recorder) (pages int, err error) {
	for cursor := ""; ; {
		page, err := c.page(ctx, cursor)
		if err != nil {
			return pages, fmt.Errorf("read page %d of the cloud API: %w", pages+1, err)
		}
		pages++
		for _, r := range page.Readings {
			to.AddJSON(r)
		}
		if page.Next == nil {
			return pages, nil
		}
		cursor = *page.Next
	}
}

// page is an answer of the API.
type page struct {
	Readings []json.RawMessage `json:"readings"`
	Next     *string           `json:"next"`
}

// page asks for a page, with a new token when the one it has is no longer good.
func (c *apiClient) page(ctx context.Context, cursor string) (p page, err error) {
	query := url.Values{"limit": {fmt.Sprint(pageSize)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	for fresh := false; ; {
		if c.token == "" {
			if c.token, err = c.newToken(ctx); err != nil {
				return p, err
			}
			fresh = true
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/v1/readings?"+query.Encode(), nil)
		if err != nil {
			return p, err
		}
		request.Header.Set("Authorization", "Bearer "+c.token)
		status, err := c.do(request, &p)
		if status == http.StatusUnauthorized && !fresh {
			c.token = ""
			continue
		}
		return p, err
	}
}

func (c *apiClient) newToken(ctx context.Context) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {string(cloudapi.ScopeRead)}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret))
	var answer struct {
		AccessToken string `json:"access_token"` //nolint:gosec // it is read, not written
	}
	if _, err := c.do(request, &answer); err != nil {
		return "", fmt.Errorf("ask for a token: %w", err)
	}
	return answer.AccessToken, nil
}

// do sends a request and decodes the answer into v.
func (c *apiClient) do(request *http.Request, v any) (status int, err error) {
	answer, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 500)) // the status says enough
		return answer.StatusCode, fmt.Errorf("%s: %s", answer.Status, text)
	}
	return answer.StatusCode, json.NewDecoder(answer.Body).Decode(v)
}
