package feed

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Secret is a value that must never be printed. It comes from the environment
// or from a file; a file is read anew at each [Secret.Reveal], so that a
// rotated credential is picked up at the next connection.
type Secret struct {
	parts []secretPart
}

type secretPart struct {
	text string
	file string // set: read at Reveal
}

// redacted stands for a secret wherever one would be printed.
const redacted = "[redacted]"

// NewSecret returns a secret with the given text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{parts: []secretPart{{text: text}}}
}

// SecretFile returns a secret whose text is read from a file at each Reveal.
// One trailing newline is dropped.
func SecretFile(path string) Secret {
	return Secret{parts: []secretPart{{file: path}}}
}

// ParseSecret expands ${NAME}, ${NAME:-default} and ${file:/path} in text.
// Environment variables are looked up now, files at Reveal. A "$$" stands for
// a dollar sign.
func ParseSecret(text string, lookupEnv func(string) (string, bool)) (Secret, error) {
	var s Secret
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			s.parts = append(s.parts, secretPart{text: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "$$"):
			lit.WriteByte('$')
			i += 2
		case strings.HasPrefix(text[i:], "${"):
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return Secret{}, errors.New("a ${ has no closing brace")
			}
			name := text[i+2 : i+end]
			i += end + 1
			if path, ok := strings.CutPrefix(name, "file:"); ok {
				if path == "" {
					return Secret{}, errors.New("${file:} names no file: write ${file:/path}")
				}
				flush()
				s.parts = append(s.parts, secretPart{file: path})
				continue
			}
			name, def, hasDef := strings.Cut(name, ":-")
			v, ok := lookupEnv(name)
			if !ok || v == "" && hasDef {
				if !hasDef {
					return Secret{}, fmt.Errorf("environment variable %s is not set: set it, or write ${%s:-default}", name, name)
				}
				v = def
			}
			lit.WriteString(v)
		default:
			lit.WriteByte(text[i])
			i++
		}
	}
	flush()
	return s, nil
}

// IsZero reports whether no secret was given.
func (s Secret) IsZero() bool { return len(s.parts) == 0 }

// Reveal returns the secret, reading the files that it names.
func (s Secret) Reveal() (string, error) {
	if len(s.parts) == 1 && s.parts[0].file == "" {
		return s.parts[0].text, nil
	}
	var b strings.Builder
	for _, p := range s.parts {
		if p.file == "" {
			b.WriteString(p.text)
			continue
		}
		raw, err := readSecretFile(p.file)
		if err != nil {
			return "", fmt.Errorf("read secret: %w", err)
		}
		b.WriteString(strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r"))
	}
	return b.String(), nil
}

// maxSecretFile bounds a secret's file: no credential is longer.
const maxSecretFile = 64 << 10

func readSecretFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // read only
	raw, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err == nil && len(raw) > maxSecretFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxSecretFile)
	}
	return raw, err
}

// String hides the secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from JSON and YAML encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// URL is an address that may hold a password. It prints with the password
// redacted.
type URL struct{ secret Secret }

// NewURL returns a URL of the given text.
func NewURL(text string) URL { return URL{NewSecret(text)} }

// ParseURL is [ParseSecret] for a URL.
func ParseURL(text string, lookupEnv func(string) (string, bool)) (URL, error) {
	s, err := ParseSecret(text, lookupEnv)
	return URL{s}, err
}

// IsZero reports whether no URL was given.
func (u URL) IsZero() bool { return u.secret.IsZero() }

// Reveal returns the text with its password, reading the files that it names.
func (u URL) Reveal() (string, error) { return u.secret.Reveal() }

// Parse reveals and parses the URL. It refuses a port that nothing can listen
// on, too. Its errors do not quote the text, which may hold a password.
func (u URL) Parse() (*url.URL, error) {
	text, err := u.Reveal()
	if err != nil {
		return nil, err
	}
	p, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("is no valid URL") // the reason may quote a password that was not escaped
	}
	if port := p.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("has a port that is not from 1 to 65535")
		}
	}
	return p, nil
}

// String returns the URL without its password and query, either of which may
// hold a credential.
func (u URL) String() string {
	if u.IsZero() {
		return ""
	}
	for _, p := range u.secret.parts {
		if p.file != "" {
			return redacted
		}
	}
	p, err := u.Parse()
	if err != nil {
		return redacted
	}
	if p.RawQuery != "" {
		p.RawQuery = redacted
	}
	return p.Redacted()
}

// GoString hides the password from %#v.
func (u URL) GoString() string { return u.String() }

// LogValue hides the password from slog.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText hides the password from JSON and YAML encoders.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }
