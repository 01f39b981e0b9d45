package postgres

import (
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

// config returns that of who writes what is read.
func (c *ObservationConfig) config() Config {
	whole := DefaultConfig()
	whole.URL, whole.Password, whole.Schema, whole.ConnectTimeout, whole.Timeout = c.URL, c.Password, c.Schema, c.ConnectTimeout, c.Timeout
	return whole
}
