package mqtt

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

func TestConfigValidate(t *testing.T) {
	long := string(make([]byte, 70000))
	file, err := feed.ParseURL("mqtt://u:${file:"+filepath.Join(t.TempDir(), "none")+"}@h", nil)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		change func(*Config)
		keys   []string
	}{
		"defaults":             {func(c *Config) {}, nil},
		"tls":                  {func(c *Config) { c.URL = feed.NewURL("mqtts://h"); c.TLS.CAFile = "ca" }, nil},
		"ssl":                  {func(c *Config) { c.URL = feed.NewURL("ssl://h:1/") }, nil},
		"unix":                 {func(c *Config) { c.URL = feed.NewURL("unix:///run/x") }, nil},
		"user in URL":          {func(c *Config) { c.URL = feed.NewURL("tcp://u:p@h") }, nil},
		"secret file missing":  {func(c *Config) { c.URL = file }, nil},
		"no URL":               {func(c *Config) { c.URL = feed.URL{} }, []string{"url"}},
		"no host":              {func(c *Config) { c.URL = feed.NewURL("mqtt://") }, []string{"url"}},
		"no scheme":            {func(c *Config) { c.URL = feed.NewURL("h:1883") }, []string{"url"}},
		"websocket":            {func(c *Config) { c.URL = feed.NewURL("ws://h") }, []string{"url"}},
		"path":                 {func(c *Config) { c.URL = feed.NewURL("mqtt://h/topic") }, []string{"url"}},
		"query":                {func(c *Config) { c.URL = feed.NewURL("mqtt://h?qos=1") }, []string{"url"}},
		"unix without path":    {func(c *Config) { c.URL = feed.NewURL("unix://run") }, []string{"url"}},
		"control in URL":       {func(c *Config) { c.URL = feed.NewURL("mqtt://h\x01") }, []string{"url"}},
		"two users":            {func(c *Config) { c.URL = feed.NewURL("mqtt://u@h"); c.Username = "v" }, []string{"url"}},
		"password alone":       {func(c *Config) { c.Password = feed.NewSecret("p") }, []string{"username"}},
		"tls without mqtts":    {func(c *Config) { c.TLS.CAFile = "ca" }, []string{"tls"}},
		"certificate alone":    {func(c *Config) { c.URL = feed.NewURL("mqtts://h"); c.TLS.CertFile = "c" }, []string{"tls"}},
		"QoS 2":                {func(c *Config) { c.QoS = 2 }, []string{"qos"}},
		"QoS -1":               {func(c *Config) { c.QoS = -1 }, []string{"qos"}},
		"client id":            {func(c *Config) { c.ClientID = "\x00" }, []string{"clientId"}},
		"user name":            {func(c *Config) { c.Username = long }, []string{"username"}},
		"inflight 0":           {func(c *Config) { c.MaxInflight = 0 }, []string{"maxInflight"}},
		"inflight 65536":       {func(c *Config) { c.MaxInflight = 65536 }, []string{"maxInflight"}},
		"packet size":          {func(c *Config) { c.MaxPacketSize = feed.GiB }, []string{"maxPacketSize"}},
		"keep alive":           {func(c *Config) { c.KeepAlive = time.Millisecond }, []string{"keepAlive"}},
		"expiry":               {func(c *Config) { c.MessageExpiry = -time.Second }, []string{"messageExpiry"}},
		"timeouts":             {func(c *Config) { c.ConnectTimeout, c.AckTimeout = 0, -1 }, []string{"connectTimeout", "ackTimeout"}},
		"user properties":      {func(c *Config) { c.UserProperties = []string{"a", "a", "topic", "\n", "time"} }, []string{"userProperties[1]", "userProperties[2]", "userProperties[3]"}},
		"no user properties":   {func(c *Config) { c.UserProperties = []string{} }, nil},
		"all that can be said": {func(c *Config) { c.QoS, c.MaxInflight, c.URL = 7, -1, feed.URL{} }, []string{"url", "qos", "maxInflight"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig()
			c.URL = feed.NewURL("mqtt://broker")
			tc.change(&c)
			if keys := configKeys(c.Validate()); !slices.Equal(keys, tc.keys) {
				t.Errorf("complains about %v, want %v: %v", keys, tc.keys, c.Validate())
			}
		})
	}
}

func configKeys(err error) (keys []string) {
	if err == nil {
		return nil
	}
	var one *feed.ConfigError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			keys = append(keys, configKeys(e)...)
		}
	} else if errors.As(err, &one) {
		keys = append(keys, one.Key)
	}
	return keys
}

func TestConfigWrites(t *testing.T) {
	for url, want := range map[string]string{
		"mqtt://Broker":         "mqtt://broker:1883",
		"tcp://u:p@broker":      "mqtt://broker:1883",
		"ssl://broker":          "mqtts://broker:8883",
		"mqtts://[::1]:99":      "mqtts://[::1]:99",
		"unix:///run/mqtt.sock": "unix:///run/mqtt.sock",
	} {
		c := DefaultConfig()
		c.URL = feed.NewURL(url)
		if got := c.Writes(); len(got) != 1 || got[0] != want {
			t.Errorf("%s writes to %v, want %s", url, got, want)
		}
	}
	c := DefaultConfig()
	if c.Writes() != nil || c.Reads() != nil || !c.Durable() {
		t.Error("a configuration without a URL writes somewhere, or reads, or is not durable")
	}
}
