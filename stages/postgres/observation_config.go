package postgres

import (
	"fmt"
	"net/url"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// ObservationConfig is the configuration of an [Observation]: those keys of a
// [Config] that say where the readings are.
type ObservationConfig struct {
	URL            feed.URL      `yaml:"url" doc:"Address of the database: postgres://user@host:5432/database. Without sslmode in its query the server must prove with a certificate that it is the host (verify-full)."`
	Password       feed.Secret   `yaml:"password" doc:"Password of the URL's user, read anew at each connect."`
	Schema         string        `yaml:"schema" doc:"Schema that holds the tables."`
	ConnectTimeout time.Duration `yaml:"connectTimeout" doc:"Longest time of a connect."`
	Timeout        time.Duration `yaml:"timeout" doc:"Longest time of one request to the server."`
}

// DefaultObservationConfig returns the defaults. The URL has none.
func DefaultObservationConfig() ObservationConfig {
	c := DefaultConfig()
	return ObservationConfig{Schema: c.Schema, ConnectTimeout: c.ConnectTimeout, Timeout: c.Timeout}
}

// Validate reports all that is wrong, as [feed.ConfigError]s.
func (c *ObservationConfig) Validate() error {
	whole := c.config()
	return whole.Validate()
}

// identity tells what is read: the database, as whom, and the schema. What decides
// in the query of the URL, such as a host, counts; what may be secret does not.
func (c *ObservationConfig) identity() string {
	place := c.URL.String()
	if u, err := c.URL.Parse(); err == nil {
		u.User = url.User(u.User.Username())
		q := u.Query()
		for _, secret := range []string{"password", "sslpassword"} {
			q.Del(secret)
		}
		u.RawQuery = q.Encode()
		place = u.String()
	} // or else it is in a file that is not there yet: each connect will say so
	return fmt.Sprintf("%s schema %q", place, c.Schema)
}

// config returns that of who writes what is read.
func (c *ObservationConfig) config() Config {
	whole := DefaultConfig()
	whole.URL, whole.Password, whole.Schema, whole.ConnectTimeout, whole.Timeout = c.URL, c.Password, c.Schema, c.ConnectTimeout, c.Timeout
	return whole
}
