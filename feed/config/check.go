package config

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// check looks at what only the whole file shows.
func (d *decoder) check(c *Config, root *yaml.Node) {
	bad := func(key, reason, remedy string) { d.problem(nodeAt(root, key, root), key, reason, remedy) }
	if c.Name == "" || len(c.Name) > 100 {
		bad("name", "must have 1 to 100 characters", "remove the key for the default")
	}
	if c.DrainTimeout <= 0 {
		bad("drainTimeout", "must be above 0", "write a duration such as 20s")
	}
	d.checkQuarantine(c.Quarantine, root, bad)
	d.checkLedger(c, root, bad)
	d.checkPlugins(c.Plugins, root, bad)
	d.checkAdmin(c.Admin, root, bad)
	d.checkOTLP(c.OTLP, root, bad)
	if d.registry == nil {
		return
	}
	d.checkValidation(&c.Validate, root, bad)
	if d.part == partValidation {
		return
	}
	_, validates := find(root, "validate")
	untested := d.part == partTests && len(c.Tests) == 0 // which a validation, not a part of this, may be
	if _, ok := find(root, "routes"); !ok && !validates && !untested {
		d.problem(root, "routes", "missing", "write at least one route: {name: {source: {…}, sink: {…}}}")
	} else if ok && len(c.Routes) == 0 && len(d.problems) == 0 {
		bad("routes", "there is no route", "write at least one: {name: {source: {…}, sink: {…}}}")
	}
	for _, r := range c.Routes {
		d.checkRoute(r)
	}
	d.checkRepair(c, root, bad)
	d.checkCycles(c.Routes)
	d.checkShared(c.Routes)
	d.checkFiles(c)
	d.checkTests(c)
	if e, ok := find(root, "routes"); ok && c.Quarantine.Off() {
		d.warn(e.key, "quarantine", "there is none: the first message that can never be delivered pauses its route", "write quarantine: {path: …}")
	}
}

func (d *decoder) checkAdmin(a Admin, root *yaml.Node, bad func(key, reason, remedy string)) {
	if a.Off() {
		return
	}
	host, port, err := net.SplitHostPort(a.Address)
	if n, convErr := strconv.ParseUint(port, 10, 16); err != nil || convErr != nil || n > 65535 {
		bad("admin.address", "is no address to listen on", "write host:port such as 127.0.0.1:8686, :8686 for all interfaces, or off")
		return
	}
	if _, said := locate(root, "admin.expose"); !said && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		d.warn(nodeAt(root, "admin.address", root), "admin.address", "not only this machine reaches it, so that /metrics and /status are served to nobody, feed status included",
			"write expose: [metrics, status], or expose: [] if that is meant")
	}
}

// checkRoute checks what the parts of a route demand of each other.
func (d *decoder) checkRoute(r *Route) {
	path := joinKey("routes", r.Name)
	bad := func(key, reason, remedy string) {
		d.problem(nodeAt(r.node, key, r.key), path+"."+key, reason, remedy)
	}
	set := func(key string) bool {
		_, exact := locate(r.node, key)
		return exact
	}
	if r.node.Kind == yaml.MappingNode || isNull(r.node) {
		for _, key := range []string{"source", "sink"} {
			if !set(key) {
				d.problem(r.key, path, "has no "+key, "write "+key+": and a stage; feed stages lists all")
			}
		}
	}
	atLeast(bad, "batch.maxMessages", r.Batch.MaxMessages, 1)
	atLeast(bad, "batch.maxBytes", r.Batch.MaxBytes, 1)
	atLeast(bad, "batch.maxDelay", r.Batch.MaxDelay, 0)
	atLeast(bad, "retry.initialDelay", r.Retry.InitialDelay, time.Millisecond)
	atLeast(bad, "retry.giveBackAfter", r.Retry.GiveBackAfter, time.Millisecond)
	if r.Retry.MaxDelay < r.Retry.InitialDelay {
		bad("retry.maxDelay", fmt.Sprintf("%v is below retry.initialDelay, which is %v", r.Retry.MaxDelay, r.Retry.InitialDelay), "")
	}
	atLeast(bad, "park.perKey", r.Park.PerKey, 1)
	atLeast(bad, "park.perRoute", r.Park.PerRoute, 1)
	if r.Park.PerKey > r.Park.PerRoute {
		bad("park.perKey", fmt.Sprintf("%d is above park.perRoute, which is %d", r.Park.PerKey, r.Park.PerRoute), "")
	}
	if _, err := parseOrderKey(r.OrderKey); err != nil {
		bad("orderKey", err.Error(), "write metadata names in braces, such as {topic} or {site}/{device}")
	}
	if set("orderKey") && r.Order == feed.OrderNone {
		bad("orderKey", "has no effect with order: none", "remove it, or write order: key")
	}
	if set("park") && r.Order == feed.OrderWire {
		bad("park", "has no effect with order: wire", "remove it, or write order: key")
	}
	if name, ok := r.fansOut(); ok && r.Order == feed.OrderKey {
		bad("order", fmt.Sprintf("key hands a sink one message of a key at a time, and %s makes many of one delivery: a thousand of a key would take a thousand calls of the sink, and their delivery might be given back, and begun anew, before they are through", name),
			"write order: wire, which keeps their order too, or have a route of its own take, with order: key, what this one publishes")
	}
	if r.Source.ok {
		d.checkSource(r, bad, set)
	}
	d.checkDurable(r)
	d.checkOffsets(r, bad)
}

func atLeast[T int | feed.Size | time.Duration](bad func(key, reason, remedy string), key string, v, least T) {
	if v < least {
		bad(key, fmt.Sprintf("%v is too small: the least is %v", v, least), "")
	}
}

// fansOut names a transform that makes many messages of one, if there is any.
func (r *Route) fansOut() (name string, ok bool) {
	for _, t := range r.Transforms {
		if f, ok := t.Config.(feed.FanOutConfig); ok && f.FanOut() {
			return t.Name, true
		}
	}
	return "", false
}

// checkSource checks the route's limits against those of its source.
func (d *decoder) checkSource(r *Route, bad func(key, reason, remedy string), set func(string) bool) {
	if w, ok := r.Source.Config.(feed.WindowConfig); ok {
		_, fansOut := r.fansOut()
		if window := w.Window(); window > 0 && r.Batch.MaxMessages > window && !fansOut {
			if set("batch.maxMessages") {
				bad("batch.maxMessages", fmt.Sprintf("%d is more than the %d unsettled messages that %s hands out, so a batch would never fill", r.Batch.MaxMessages, window, r.Source.Name),
					fmt.Sprintf("write at most %d, or raise the limit of the source", window))
			}
			r.Batch.MaxMessages = window
		}
	}
	a, ok := r.Source.Config.(feed.AckTimeoutConfig)
	if !ok {
		return
	}
	held, limit := r.Batch.MaxDelay+r.Retry.GiveBackAfter, a.AckTimeout()
	if limit <= 0 || held < nearTimeout(limit) {
		return
	}
	key := "retry.giveBackAfter"
	if set("batch.maxDelay") && r.Batch.MaxDelay >= r.Retry.GiveBackAfter {
		key = "batch.maxDelay"
	}
	bad(key, fmt.Sprintf("a message may be held for %v (batch.maxDelay %v + retry.giveBackAfter %v), too near the %v after which the broker takes it back",
		held, r.Batch.MaxDelay, r.Retry.GiveBackAfter, limit), fmt.Sprintf("keep the sum below %v", nearTimeout(limit)))
}

// checkOffsets checks that a stream is read for a sink that remembers how far
// it has come, and such a sink fed by a stream.
func (d *decoder) checkOffsets(r *Route, bad func(key, reason, remedy string)) {
	if !r.Source.ok {
		return
	}
	o, ok := r.Source.Config.(feed.OffsetConfig)
	stream, checkpoints := ok && o.Offsets(), 0
	for i := range r.Sink {
		s := &r.Sink[i]
		if !s.ok {
			return
		}
		if c, ok := s.Config.(feed.CheckpointConfig); !ok || !c.Checkpoints() {
			continue
		}
		checkpoints++
		if !stream {
			d.problem(s.key, s.path, "writes each offset of a stream exactly once, but the source is no stream", "read a stream (amqp with declare: {type: stream}), or remove exactlyOnce")
		}
		if len(r.Sink) > 1 {
			d.problem(s.key, s.path, "writes exactly once, which it can only do as the one sink of its route", "give it a route of its own")
		}
	}
	switch {
	case stream && checkpoints == 0:
		d.problem(r.Source.key, r.Source.path, "reads a stream, but the sink does not remember how far it has come", "write to blob with exactlyOnce: true, or read a queue")
	case checkpoints > 0 && r.Order != feed.OrderWire:
		bad("order", fmt.Sprintf("%s does not go with a sink that writes exactly once", r.Order), "remove it, or write order: wire")
	}
}

// nearTimeout returns what is too near a broker's acknowledgement timeout: 80 %
// of it.
func nearTimeout(limit time.Duration) time.Duration { return limit / 5 * 4 }

// checkDurable refuses sinks that may lose messages, unless that is allowed.
func (d *decoder) checkDurable(r *Route) {
	if r.AllowLoss {
		return
	}
	for i := range r.Sink {
		s := &r.Sink[i]
		if !s.ok {
			continue
		}
		if dc, ok := s.Config.(feed.DurableConfig); ok && !dc.Durable() {
			d.problem(s.key, s.path, "is not durable with these settings: messages that it has taken may be lost", "write allowLoss: true in the route if that is acceptable")
		}
	}
}
