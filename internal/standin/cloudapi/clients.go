package cloudapi

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// Scope is what a token permits.
type Scope string

// The scopes.
const (
	ScopeRead  Scope = "readings.read"
	ScopeWrite Scope = "readings.write"
	ScopeAdmin Scope = "admin" // faults, and what was lied about
)

var scopes = []Scope{ScopeRead, ScopeWrite, ScopeAdmin}

// Client may ask for tokens with its secret, which is read anew each time.
type Client struct {
	ID     string
	Secret feed.Secret
	Scopes []Scope
}

// DefaultClients returns the clients device, validator and admin, with a scope
// each. Their secrets are random and stand in the files that [SecretPath] names,
// for the owner's eyes only; those that are there already are kept.
func DefaultClients(data string) ([]Client, error) {
	clients := []Client{
		{ID: "device", Scopes: []Scope{ScopeWrite}},
		{ID: "validator", Scopes: []Scope{ScopeRead}},
		{ID: "admin", Scopes: []Scope{ScopeAdmin}},
	}
	for i := range clients {
		path := SecretPath(data, clients[i].ID)
		if err := makeSecret(path); err != nil {
			return nil, fmt.Errorf("make the secret of client %s: %w", clients[i].ID, err)
		}
		clients[i].Secret = feed.SecretFile(path)
	}
	return clients, nil
}

// SecretPath names the file with the secret of one of the [DefaultClients], beside
// the file of the data.
func SecretPath(data, id string) string { return data + "." + id + ".secret" }

func makeSecret(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, rand.Text()+"\n")
	return errors.Join(err, file.Close())
}

// LoadClients reads clients from a YAML file. A secret may be ${NAME} of the
// environment, or ${file:/path}:
//
//	clients:
//	  - {id: validator, secret: "${VALIDATOR_SECRET}", scopes: [readings.read]}
func LoadClients(path string) ([]Client, error) {
	text, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read clients: %w", err)
	}
	defer text.Close()
	var file struct {
		Clients []struct {
			ID     string  `yaml:"id"`
			Secret string  `yaml:"secret"`
			Scopes []Scope `yaml:"scopes"`
		} `yaml:"clients"`
	}
	d := yaml.NewDecoder(io.LimitReader(text, 1<<20))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("read clients: %s: %w", path, err)
	}
	clients := make([]Client, len(file.Clients))
	for i, c := range file.Clients {
		secret, err := feed.ParseSecret(c.Secret, os.LookupEnv)
		if err != nil {
			return nil, fmt.Errorf("read clients: %s: clients[%d].secret: %w", path, i, err)
		}
		clients[i] = Client{c.ID, secret, c.Scopes}
	}
	if err = validateClients(clients); err == nil && len(clients) == 0 {
		err = errors.New("clients: there are none: add one with id, secret and scopes")
	}
	if err != nil {
		return nil, fmt.Errorf("read clients: %s: %w", path, err)
	}
	return clients, nil
}

func validateClients(clients []Client) error {
	var errs []error
	known := map[string]bool{}
	for i, c := range clients {
		bad := func(format string, a ...any) {
			errs = append(errs, fmt.Errorf("clients[%d]."+format, append([]any{i}, a...)...))
		}
		switch {
		case c.ID == "" || len(c.ID) > 128 || strings.ContainsFunc(c.ID, func(r rune) bool { return r < '!' || r > '~' }):
			bad("id: %.40q has not 1 to 128 visible characters of ASCII", c.ID)
		case known[c.ID]:
			bad("id: %q is there twice: give each client its own", c.ID)
		}
		known[c.ID] = true
		if c.Secret.IsZero() {
			bad("secret: is missing: write \"${NAME}\" of the environment, or \"${file:/path}\"")
		}
		if len(c.Scopes) == 0 {
			bad("scopes: are missing: write some of %v", scopes)
		}
		for _, s := range c.Scopes {
			if !slices.Contains(scopes, s) {
				bad("scopes: %.40q is unknown: write some of %v", s, scopes)
			}
		}
	}
	return errors.Join(errs...)
}
