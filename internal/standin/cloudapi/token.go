package cloudapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// account is a client and what it may still ask for.
type account struct {
	Client
	bucket bucket
}

// grant is what a token says.
type grant struct {
	Client  string    `json:"c"`
	Scopes  []Scope   `json:"s"`
	Expires time.Time `json:"e"`
}

// tokenAnswer is RFC 6749, section 5.1.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
}

// tokenProblem is RFC 6749, section 5.2.
type tokenProblem struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (p *tokenProblem) Error() string { return p.Description }

const maxTokenRequest = 16 << 10

// token is POST /oauth2/token.
func (s *Server) token(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Pragma", "no-cache")
	r.Body = http.MaxBytesReader(w, r.Body, maxTokenRequest)
	t, err := s.grant(r)
	if err == nil {
		answer(w, http.StatusOK, "application/json", t)
		return nil
	}
	var p *tokenProblem
	if !errors.As(err, &p) {
		return err
	}
	status := http.StatusBadRequest
	if p.Code == "invalid_client" {
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Basic realm="`+realm+`"`)
	}
	answer(w, status, "application/json", p)
	return nil
}

func (s *Server) grant(r *http.Request) (*tokenAnswer, error) {
	if err := r.ParseForm(); err != nil {
		return nil, &tokenProblem{"invalid_request", "the body is no form: send application/x-www-form-urlencoded"}
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return nil, &tokenProblem{"invalid_request", "a parameter is given twice: " + name}
		}
	}
	a, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
	case "":
		return nil, &tokenProblem{"invalid_request", "grant_type is missing: send client_credentials"}
	default:
		return nil, &tokenProblem{"unsupported_grant_type", "grant_type is not client_credentials"}
	}
	granted := a.Scopes
	if wanted := strings.Fields(r.PostForm.Get("scope")); len(wanted) > 0 {
		granted = nil
		for _, name := range wanted {
			if !slices.Contains(a.Scopes, Scope(name)) {
				return nil, &tokenProblem{"invalid_scope", "the client has not all of these scopes"}
			}
			granted = append(granted, Scope(name))
		}
	}
	lifetime := s.options.TokenLifetime
	token, err := s.sealer.seal(purposeToken, grant{a.ID, granted, s.options.Now().Add(lifetime)})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(granted))
	for i, g := range granted {
		names[i] = string(g)
	}
	return &tokenAnswer{token, "Bearer", int(lifetime.Seconds()), strings.Join(names, " ")}, nil
}

// authenticate finds the client by basic authentication or by the form, not by
// both (RFC 6749, section 2.3).
func (s *Server) authenticate(r *http.Request) (*account, error) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		if secret != "" {
			return nil, &tokenProblem{"invalid_request", "the client authenticates in the header and in the form: choose one"}
		}
		var errs [2]error
		id, errs[0] = url.QueryUnescape(user)
		secret, errs[1] = url.QueryUnescape(password)
		if errs != [2]error{} {
			return nil, &tokenProblem{"invalid_request", "id and secret are not encoded as RFC 6749 says, section 2.3.1"}
		}
	}
	wrong := &tokenProblem{"invalid_client", "the client is unknown, or its secret is wrong"}
	a, ok := s.accounts[id]
	if !ok {
		return nil, wrong
	}
	want, err := a.Secret.Reveal()
	if err != nil || want == "" {
		s.options.Logger.Error("the client gets no token: its secret cannot be read, or is empty", "client", id, "error", err)
		return nil, wrong
	}
	// Hashes, so that the time taken says nothing, not even how long the secret is.
	got, expected := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(want))
	if subtle.ConstantTimeCompare(got[:], expected[:]) != 1 {
		return nil, wrong
	}
	return a, nil
}
