package mqtt

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

func TestSourceConfigValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*SourceConfig)
		keys   []string
	}{
		"defaults":            {func(*SourceConfig) {}, nil},
		"filters":             {func(c *SourceConfig) { c.Topics = []string{"#", "+", "+/a/#", "/", "a/+/b", "$SYS/#"} }, nil},
		"no client id":        {func(c *SourceConfig) { c.ClientID = "" }, []string{"clientId"}},
		"client id":           {func(c *SourceConfig) { c.ClientID = "\x00" }, []string{"clientId"}},
		"no topics":           {func(c *SourceConfig) { c.Topics = nil }, []string{"topics"}},
		"empty filter":        {func(c *SourceConfig) { c.Topics = []string{""} }, []string{"topics[0]"}},
		"hash in the middle":  {func(c *SourceConfig) { c.Topics = []string{"a", "a/#/b"} }, []string{"topics[1]"}},
		"hash in a level":     {func(c *SourceConfig) { c.Topics = []string{"a#"} }, []string{"topics[0]"}},
		"plus in a level":     {func(c *SourceConfig) { c.Topics = []string{"a/b+/c"} }, []string{"topics[0]"}},
		"control in a filter": {func(c *SourceConfig) { c.Topics = []string{"a\x01"} }, []string{"topics[0]"}},
		"long filter":         {func(c *SourceConfig) { c.Topics = []string{strings.Repeat("a", 65536)} }, []string{"topics[0]"}},
		"filter twice":        {func(c *SourceConfig) { c.Topics = []string{"a", "a"} }, []string{"topics[1]"}},
		"shared by hand":      {func(c *SourceConfig) { c.Topics = []string{"$share/g/a"} }, []string{"topics[0]"}},
		"shared group":        {func(c *SourceConfig) { c.SharedGroup = "line-1" }, nil},
		"group with a slash":  {func(c *SourceConfig) { c.SharedGroup = "a/b" }, []string{"sharedGroup"}},
		"no keep alive":       {func(c *SourceConfig) { c.KeepAlive = 0 }, []string{"keepAlive"}},
		"timeouts":            {func(c *SourceConfig) { c.ConnectTimeout, c.PingTimeout = 0, -1 }, []string{"connectTimeout", "pingTimeout"}},
		"session ends":        {func(c *SourceConfig) { c.SessionExpiry = 0 }, []string{"sessionExpiry"}},
		"session for ever":    {func(c *SourceConfig) { c.SessionExpiry = neverExpires * time.Second }, []string{"sessionExpiry"}},
		"no window":           {func(c *SourceConfig) { c.ReceiveMaximum = 0 }, []string{"receiveMaximum"}},
		"large window":        {func(c *SourceConfig) { c.ReceiveMaximum = 65536 }, []string{"receiveMaximum"}},
		"no memory":           {func(c *SourceConfig) { c.ReadAhead = 0 }, []string{"readAhead"}},
		"small packets":       {func(c *SourceConfig) { c.MaxPacketSize = 100 }, []string{"maxPacketSize"}},
		"large packets":       {func(c *SourceConfig) { c.MaxPacketSize = feed.GiB }, []string{"maxPacketSize"}},
		"retained":            {func(c *SourceConfig) { c.Retained = "sometimes" }, []string{"retained"}},
		"no URL":              {func(c *SourceConfig) { c.URL = feed.URL{} }, []string{"url"}},
		"auth":                {func(c *SourceConfig) { c.Auth.Method = AuthServiceAccountToken }, nil},
		"auth method":         {func(c *SourceConfig) { c.Auth.Method = "scram" }, []string{"auth.method"}},
		"token alone":         {func(c *SourceConfig) { c.Auth.TokenFile = "/token" }, []string{"auth.tokenFile"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := DefaultSourceConfig()
			c.URL, c.ClientID, c.Topics = feed.NewURL("mqtt://broker"), "consumer", []string{"plant/#"}
			tc.change(&c)
			err := c.Validate()
			if keys := configKeys(err); !slices.Equal(keys, tc.keys) {
				t.Errorf("wrong are %v, want %v: %v", keys, tc.keys, err)
			}
		})
	}
}

// A source without topics is for subscriptions that name their own.
func TestSourceWithoutTopics(t *testing.T) {
	b := newFakeSession(t)
	b.start()
	s := newTestSource(t, b.url(), func(c *SourceConfig) { c.Topics = nil })
	var wrong *feed.ConfigError
	if _, err := s.SubscribeBatch(testContext(t), ""); !errors.As(err, &wrong) || wrong.Key != "topics" {
		t.Errorf("subscribe: %v", err)
	}
	if _, err := s.SubscribeBatch(testContext(t), "a/#/b"); !feed.IsPermanent(err) {
		t.Errorf("subscribe to what is no filter: %v", err)
	}
	if _, err := s.SubscribeBatch(testContext(t), "line/+"); err != nil {
		t.Fatal(err)
	}
	if id := b.current().connect.ClientID; id != "consumer/line/+" {
		t.Errorf("client identifier %q", id)
	}
}

func TestSourceEndpoints(t *testing.T) {
	c := DefaultSourceConfig()
	c.URL, c.Topics = feed.NewURL("tcp://u:p@Broker"), []string{"plant/#", "#"}
	if got, want := c.Reads(), []string{"mqtt://broker:1883 topic plant/#", "mqtt://broker:1883"}; !slices.Equal(got, want) {
		t.Errorf("reads %v, want %v", got, want)
	}
	if len(c.Writes()) != 0 || c.Window() != c.ReceiveMaximum {
		t.Errorf("writes %v, window %d", c.Writes(), c.Window())
	}
}
