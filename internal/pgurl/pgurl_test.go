package pgurl_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/internal/pgurl"
)

func TestWithTLS(t *testing.T) {
	for address, want := range map[string]string{
		"postgres://feed@db/plant":                      "postgres://feed@db/plant?sslmode=verify-full",
		"postgres://feed@a:1,b:2/plant?application=x":   "postgres://feed@a:1,b:2/plant?application=x&sslmode=verify-full",
		"postgres://feed@db/plant?sslmode=disable&b=1":  "postgres://feed@db/plant?sslmode=disable&b=1",
		"postgres://feed:p%40ss@db/plant?sslmode=allow": "postgres://feed:p%40ss@db/plant?sslmode=allow",
	} {
		u, err := pgurl.WithTLS(address)
		if err != nil || u.String() != want {
			t.Errorf("%s became %v, %v, want %s", address, u, err, want)
		}
	}
	if _, err := pgurl.WithTLS("postgres://feed:secret@db:x/"); !errors.Is(err, pgurl.ErrNoURL) || strings.Contains(err.Error(), "secret") {
		t.Errorf("no URL: %v", err)
	}
}
