package capacity

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

// manifestMark is a line that only objects of Kubernetes have.
var manifestMark = regexp.MustCompile(`(?m)^apiVersion:`)

// AddFile adds what a file says that has any of the forms that are known: a feed
// or objects of Kubernetes in YAML, RabbitMQ's definitions in JSON, rabbitmq.conf,
// postgresql.conf or mosquitto.conf. Stages of feeds are looked up in the registry.
func (p *Plan) AddFile(registry *feed.Registry, name string, data []byte) error {
	base := filepath.Base(name)
	switch extension := filepath.Ext(base); {
	case extension == ".json":
		return p.AddDefinitions(name, data)
	case extension == ".conf" && strings.Contains(base, volumeRabbitMQ):
		return p.AddRabbitMQConf(name, data)
	case extension == ".conf" && strings.Contains(base, volumePostgres):
		return p.AddPostgresConf(name, data)
	case extension == ".conf" && strings.Contains(base, volumeMosquitto):
		return p.AddMosquittoConf(name, data)
	case extension == ".conf":
		return fmt.Errorf("%s: whose settings these are does not show: call the file rabbitmq.conf, postgresql.conf or mosquitto.conf", name)
	case manifestMark.Match(data):
		return p.AddManifests(registry, name, data)
	}
	c, err := parseFeed(registry, name, data)
	if err != nil {
		return err
	}
	p.AddFeed(c.Name, c)
	return nil
}

// parseFeed reads a feed. Addresses and secrets need not be there.
func parseFeed(registry *feed.Registry, name string, data []byte) (*config.Config, error) {
	data, lookup := withoutSecrets(data)
	if plugins, err := config.ParsePlugins(name, data, lookup); err == nil && !plugins.Empty() { // what is wrong is said below
		registry = registry.Otherwise(ofPlugin)
	}
	return config.Parse(name, data, registry, lookup)
}
