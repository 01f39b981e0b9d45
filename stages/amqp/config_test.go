package amqp

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// keysOf returns the keys of all configuration errors in err.
func keysOf(err error) []string {
	var keys []string
	var walk func(error)
	walk = func(err error) {
		var c *feed.ConfigError
		var several interface{ Unwrap() []error }
		switch {
		case errors.As(err, &several):
			for _, e := range several.Unwrap() {
				walk(e)
			}
		case errors.As(err, &c):
			keys = append(keys, c.Key)
		}
	}
	walk(err)
	return keys
}

func TestSourceConfigValidate(t *testing.T) {
	long := strings.Repeat("x", 256)
	for name, c := range map[string]struct {
		change func(*SourceConfig)
		want   []string
	}{
		"good": {func(*SourceConfig) {}, nil},
		"good, tls": {func(c *SourceConfig) {
			c.URL = feed.NewURL("amqps://h")
			c.TLS = TLS{CertFile: "c", KeyFile: "k"}
			c.Auth = AuthExternal
		}, nil},
		"empty":                    {func(c *SourceConfig) { *c = SourceConfig{} }, []string{"url", "auth", "connectTimeout", "heartbeat", "queue", "prefetch", "readAhead"}},
		"scheme":                   {func(c *SourceConfig) { c.URL = feed.NewURL("http://h") }, []string{"url"}},
		"host":                     {func(c *SourceConfig) { c.URL = feed.NewURL("amqp:///v") }, []string{"url"}},
		"query":                    {func(c *SourceConfig) { c.URL = feed.NewURL("amqp://h/v?heartbeat=3") }, []string{"url"}},
		"password not escaped":     {func(c *SourceConfig) { c.URL = feed.NewURL("amqp://guest:p@ss/word@h") }, []string{"url"}},
		"@ in a virtual host":      {func(c *SourceConfig) { c.URL = feed.NewURL("amqp://guest:p%40ss%2Fword@h/v%40w") }, nil},
		"no url":                   {func(c *SourceConfig) { c.URL = feed.NewURL("amqp://%zz") }, []string{"url"}},
		"long queue":               {func(c *SourceConfig) { c.Queue = long }, []string{"queue"}},
		"prefetch 0":               {func(c *SourceConfig) { c.Prefetch = 0 }, []string{"prefetch"}},
		"prefetch":                 {func(c *SourceConfig) { c.Prefetch = 65536 }, []string{"prefetch"}},
		"heartbeat":                {func(c *SourceConfig) { c.Heartbeat = time.Second }, []string{"heartbeat"}},
		"ack timeout":              {func(c *SourceConfig) { c.Timeout = -1 }, []string{"ackTimeout"}},
		"tls on amqp":              {func(c *SourceConfig) { c.TLS.CAFile = "x" }, []string{"tls"}},
		"cert, no key":             {func(c *SourceConfig) { c.URL = feed.NewURL("amqps://h"); c.TLS.CertFile = "x" }, []string{"tls"}},
		"external, no certificate": {func(c *SourceConfig) { c.Auth = AuthExternal }, []string{"tls.certFile"}},
		"external, password": {func(c *SourceConfig) {
			c.URL, c.Auth, c.TLS, c.Password = feed.NewURL("amqps://h"), AuthExternal, TLS{CertFile: "c", KeyFile: "k"}, feed.NewSecret("x")
		}, []string{"auth"}},
		"declare defaults": {func(c *SourceConfig) { c.Declare = &Declare{} }, nil},
		"declare enums": {func(c *SourceConfig) {
			c.Declare = &Declare{Type: "x", Exchange: Exchange{Type: "x"}, Overflow: "x", DeadLetter: DeadLetter{Exchange: "x", Strategy: "x"}}
		}, []string{"declare.type", "declare.exchange.type", "declare.overflow", "declare.deadLetter.strategy"}},
		"transient quorum":         {func(c *SourceConfig) { c.Declare = &Declare{Transient: true} }, []string{"declare.transient"}},
		"limits":                   {func(c *SourceConfig) { c.Declare = &Declare{MaxLength: -1, MaxBytes: -1} }, []string{"declare.maxLength", "declare.maxBytes"}},
		"keys without exchange":    {func(c *SourceConfig) { c.Declare = &Declare{RoutingKeys: []string{"#"}} }, []string{"declare.routingKeys"}},
		"binding without exchange": {func(c *SourceConfig) { c.Declare = &Declare{Bindings: []Binding{{RoutingKey: long}}} }, []string{"declare.bindings[0].exchange", "declare.bindings[0].routingKey"}},
		"dead letters nowhere":     {func(c *SourceConfig) { c.Declare = &Declare{DeadLetter: DeadLetter{Queue: "d"}} }, []string{"declare.deadLetter.exchange"}},
		"classic at least once": {func(c *SourceConfig) {
			c.Declare = &Declare{Type: QueueClassic, DeadLetter: DeadLetter{Exchange: "d", Strategy: AtLeastOnce}}
		}, []string{"declare.deadLetter.strategy"}},
		"at least once, drop-head": {func(c *SourceConfig) {
			c.Declare = &Declare{Overflow: OverflowDropHead, DeadLetter: DeadLetter{Exchange: "d"}}
		}, []string{"declare.overflow"}},
		"at most once, drop-head": {func(c *SourceConfig) {
			c.Declare = &Declare{Overflow: OverflowDropHead, DeadLetter: DeadLetter{Exchange: "d", Strategy: AtMostOnce}}
		}, nil},
		"consumer tag": {func(c *SourceConfig) { c.ConsumerTag = long }, []string{"consumerTag"}},
		"stream": {func(c *SourceConfig) {
			c.Declare = &Declare{Type: QueueStream, MaxAge: time.Hour, MaxBytes: feed.GiB, SegmentBytes: feed.MiB}
		}, nil},
		"stream with settings of queues": {func(c *SourceConfig) {
			c.Exclusive, c.Declare = true, &Declare{Type: QueueStream, Transient: true, SingleActiveConsumer: true, MaxLength: 1, Overflow: OverflowReject, DeadLetter: DeadLetter{Exchange: "d"}}
		}, []string{"declare.transient", "declare.singleActiveConsumer", "declare.maxLength", "declare.overflow", "declare.deadLetter", "exclusive"}},
		"stream in parts of a second": {func(c *SourceConfig) {
			c.Declare = &Declare{Type: QueueStream, MaxAge: time.Millisecond, SegmentBytes: 4 * feed.GiB}
		}, []string{"declare.maxAge", "declare.segmentBytes"}},
		"queue with settings of streams": {func(c *SourceConfig) {
			c.Declare = &Declare{MaxAge: time.Hour, SegmentBytes: feed.MiB}
		}, []string{"declare.maxAge", "declare.segmentBytes"}},
	} {
		config := DefaultSourceConfig()
		config.URL, config.Queue = feed.NewURL("amqp://user:geheim@h/v"), "q"
		c.change(&config)
		err := config.Validate()
		if got := keysOf(err); !slices.Equal(got, c.want) {
			t.Errorf("%s: keys %v, want %v: %v", name, got, c.want, err)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

func TestPrefetchAboveTheProtocolsFieldIsExplained(t *testing.T) {
	c := DefaultSourceConfig()
	c.URL, c.Queue, c.Prefetch = feed.NewURL("amqp://h"), "q", 65536
	if _, err := NewSource(c, feed.StageEnv{}); err == nil || !strings.Contains(err.Error(), "16 bits") || !strings.Contains(err.Error(), "65535") {
		t.Errorf("got %v", err)
	}
}

func TestSinkConfigValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*SinkConfig)
		want   []string
	}{
		"good":            {func(*SinkConfig) {}, nil},
		"empty":           {func(c *SinkConfig) { *c = SinkConfig{} }, []string{"url", "auth", "connectTimeout", "heartbeat", "confirmTimeout"}},
		"unroutable":      {func(c *SinkConfig) { c.Unroutable = "drop" }, []string{"unroutable"}},
		"declare default": {func(c *SinkConfig) { c.Declare = &Exchange{} }, []string{"declare"}},
		"declare other":   {func(c *SinkConfig) { c.Exchange, c.Declare = "a", &Exchange{Name: "b", Type: "x"} }, []string{"declare.type", "declare.name"}},
		"declare":         {func(c *SinkConfig) { c.Exchange, c.Declare = "a", &Exchange{} }, nil},
		"long names": {func(c *SinkConfig) {
			c.Exchange, c.RoutingKey, c.ContentType = strings.Repeat("x", 256), strings.Repeat("x", 256), strings.Repeat("x", 256)
		}, []string{"exchange", "routingKey", "contentType"}},
	} {
		config := DefaultSinkConfig()
		config.URL = feed.NewURL("amqp://h")
		c.change(&config)
		if err := config.Validate(); !slices.Equal(keysOf(err), c.want) {
			t.Errorf("%s: keys %v, want %v: %v", name, keysOf(err), c.want, err)
		}
	}
}

func TestEndpoints(t *testing.T) {
	source := DefaultSourceConfig()
	source.URL, source.Queue = feed.NewURL("amqps://u:p@Rabbit.Plant/a%2Fb"), "q/1"
	source.Declare = &Declare{
		Exchange: Exchange{Name: "x", Type: ExchangeFanout}, RoutingKeys: []string{""},
		Bindings: []Binding{{"y", "a.*"}, {"z", "#"}},
	}
	base := "amqp://rabbit.plant:5671/a%2Fb"
	want := []string{
		base + "/queue/q%2F1", base + "/exchange/x/key/", base + "/exchange/x", base + "/exchange/y/key/a.%2A",
		base + "/exchange/z/key/%23", base + "/exchange/z",
	}
	if got := source.Reads(); !slices.Equal(got, want) {
		t.Errorf("source reads %q, want %q", got, want)
	}
	sink := DefaultSinkConfig()
	sink.URL = feed.NewURL("amqp://h:1234")
	for _, c := range []struct {
		exchange, key string
		want          []string
	}{
		{"", "", nil},
		{"", "q", []string{"amqp://h:1234/%2F/queue/q"}},
		{"x", "", []string{"amqp://h:1234/%2F/exchange/x"}},
		{"x", "k", []string{"amqp://h:1234/%2F/exchange/x", "amqp://h:1234/%2F/exchange/x/key/k"}},
	} {
		sink.Exchange, sink.RoutingKey = c.exchange, c.key
		if got := sink.Writes(); !slices.Equal(got, c.want) {
			t.Errorf("sink to %q with key %q writes %q, want %q", c.exchange, c.key, got, c.want)
		}
	}
	if len(sink.Reads()) > 0 || len(source.Writes()) > 0 {
		t.Error("a sink reads, or a source writes")
	}
}

func TestURLFromAMissingFileIsNoConfigError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "url")
	u, err := feed.ParseURL("${file:"+path+"}", os.LookupEnv)
	noError(t, err)
	c := DefaultSourceConfig()
	c.URL, c.Queue = u, "q"
	noError(t, c.Validate())
	if got := c.Reads(); len(got) > 0 {
		t.Errorf("reads %q", got)
	}
	noError(t, os.WriteFile(path, []byte("amqp://h/v\n"), 0o600))
	if got := c.Reads(); !slices.Equal(got, []string{"amqp://h:5672/v/queue/q"}) {
		t.Errorf("reads %q", got)
	}
}

func TestOptionalInterfaces(t *testing.T) {
	source, sink := DefaultSourceConfig(), DefaultSinkConfig()
	var c feed.StageConfig = &source
	if w, ok := c.(feed.WindowConfig); !ok || w.Window() != 2000 {
		t.Error("the source's window")
	}
	if a, ok := c.(feed.AckTimeoutConfig); !ok || a.AckTimeout() != 30*time.Minute {
		t.Error("the source's acknowledgement timeout")
	}
	c = &sink
	if d, ok := c.(feed.DurableConfig); !ok || !d.Durable() {
		t.Error("the sink's durability")
	}
	sink.Mandatory = false
	if sink.Durable() {
		t.Error("a sink without mandatory loses unroutable messages and is not durable")
	}
	if _, err := feed.NewRegistry(Factories()...); err != nil {
		t.Error(err)
	}
}
