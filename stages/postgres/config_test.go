package postgres

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

func TestValidate(t *testing.T) {
	good := configOf("postgres://u@h:5432/db")
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		edit func(*Config)
		want string
	}{
		"no url":        {func(c *Config) { c.URL = feed.URL{} }, "url: is missing (write postgres://"},
		"scheme":        {func(c *Config) { c.URL = feed.NewURL("mysql://h/d") }, "url: is no address of a PostgreSQL database"},
		"sslmode":       {func(c *Config) { c.URL = feed.NewURL("postgres://h/d?sslmode=on") }, "url: cannot parse"},
		"no text":       {func(c *Config) { c.URL = feed.NewURL("postgres://u:canary%zz@h/d") }, "url: "},
		"two passwords": {func(c *Config) { c.URL = feed.NewURL("postgres://u:canary@h/d"); c.Password = feed.NewSecret("x") }, "password: stands beside"},
		"schema":        {func(c *Config) { c.Schema = `x"; DROP` }, `schema: "x\"; DROP" is no name`},
		"partition":     {func(c *Config) { c.Partition = time.Minute }, "partition: 1m0s is out of range"},
		"no partition":  {func(c *Config) { c.Partition = 0 }, "partition: 0s is out of range"},
		"retention":     {func(c *Config) { c.Retention = time.Hour }, "retention: 1h0m0s is shorter than a partition"},
		"negative":      {func(c *Config) { c.Retention = -day }, "retention: -24h0m0s is shorter"},
		"max age":       {func(c *Config) { c.MaxAge = 0 }, "maxAge: 0s is too short"},
		"max ahead":     {func(c *Config) { c.MaxAhead = -1 }, "maxAhead: -1ns is too short"},
		"too many":      {func(c *Config) { c.MaxAge = 10 * 365 * day; c.Partition = time.Hour * 2 }, "it lets readings make 43812 partitions, more than 4000"},
		"timeout":       {func(c *Config) { c.Timeout = 0 }, "timeout: 0s is too short"},
		"connect":       {func(c *Config) { c.ConnectTimeout = 0 }, "connectTimeout: 0s is too short"},
		"compress":      {func(c *Config) { c.CompressAfter = 0 }, "compressAfter: 0s is too short"},
	} {
		c := good
		tt.edit(&c)
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %q, and no secret", name, err, tt.want)
		}
		if _, err := NewSink(c, feed.StageEnv{}); err == nil {
			t.Errorf("%s: there is a sink", name)
		}
		if _, err := OpenReader(t.Context(), c); err == nil {
			t.Errorf("%s: there is a reader", name)
		}
	}
	retained := good
	retained.Partition, retained.MaxAge, retained.Retention = time.Hour, 10*365*day, 30*day
	if err := retained.Validate(); err != nil {
		t.Errorf("what the retention bounds: %v", err)
	}
}

// TestTLS: without a word about it the server must prove who it is.
func TestTLS(t *testing.T) {
	t.Setenv("PGSSLMODE", "disable")
	c, err := connConfig("postgres://u@db.example/d")
	if err != nil {
		t.Fatal(err)
	}
	if c.TLSConfig == nil || c.TLSConfig.InsecureSkipVerify || c.TLSConfig.ServerName != "db.example" || len(c.Fallbacks) > 0 {
		t.Errorf("TLS %+v, and %d other ways", c.TLSConfig, len(c.Fallbacks))
	}
	if c, err := connConfig("postgres://u@db.example/d?sslmode=disable"); err != nil || c.TLSConfig != nil {
		t.Errorf("TLS %+v, %v, want none", c.TLSConfig, err)
	}
	s := openSink(t, configOf(strings.TrimSuffix(testenv.PostgreSQL(t).URL(), "?sslmode=disable")))
	if err := publish(t.Context(), s, series50(0, 1)...); err == nil || !strings.Contains(err.Error(), "write ?sslmode=disable") {
		t.Errorf("publish without TLS: %v", err)
	}
}

// TestPassword: a password that has been replaced is taken at the next connect, and
// none is shown.
func TestPassword(t *testing.T) {
	db := testenv.PostgreSQL(t)
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := configOf(strings.Replace(db.URL(), ":"+db.Password, "", 1))
	c.Password = feed.SecretFile(file)
	s := openSink(t, c)
	err := publish(t.Context(), s, series50(0, 1)...)
	if err == nil || feed.IsPermanent(err) || !strings.Contains(err.Error(), file) {
		t.Errorf("without the file: %v", err)
	}
	write("canary")
	err = publish(t.Context(), s, series50(0, 1)...)
	if err == nil || feed.IsPermanent(err) || !strings.Contains(err.Error(), "check user and password") || strings.Contains(err.Error(), "canary") {
		t.Errorf("with a wrong password: %v", err)
	}
	write(db.Password)
	mustPublish(t, s, series50(0, 1)...)
}

func TestWrites(t *testing.T) {
	c := configOf("postgres://u:canary@h:5432/db?sslmode=disable")
	if got := strings.Join(c.Writes(), " "); got != "postgres://h:5432/db/telemetry" || c.Reads() != nil || !c.Durable() {
		t.Errorf("writes %s", got)
	}
}
