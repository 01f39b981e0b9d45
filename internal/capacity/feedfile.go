package capacity

import (
	"slices"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/digits"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/postgres"
	"github.com/kraft-edge/datafeed/stages/unbatch"
	"github.com/kraft-edge/datafeed/stages/validator"
)

// AddFeed adds what a feed stores: in the queues that it reads, in PostgreSQL,
// and in files of its own, which lie on the volume.
func (p *Plan) AddFeed(volume string, c *config.Config) {
	for _, r := range c.Routes {
		p.addRoute(volume, r)
	}
	p.addQuarantine(volume, c.Quarantine)
	if !c.Ledger.Off() && len(c.Routes) > 0 {
		s := Store{Volume: volume, Name: "ledger", Role: Notes, OnDisk: ledgerRecord, Full: Forgets}
		s.Rate = p.load.Rate * float64(len(c.Routes))
		s.Bounds = []Bound{byBytes("maxBytes", c.Ledger.MaxBytes, s.OnDisk)}
		p.add(s)
	}
}

// addRoute adds the stores of a route's stages.
func (p *Plan) addRoute(volume string, r *config.Route) {
	p.noteStage(r.Name, feed.KindSource, r.Source)
	batches := false
	for _, t := range r.Transforms {
		p.noteStage(r.Name, feed.KindTransform, t)
		if u, ok := t.Config.(*unbatch.Config); ok {
			batches = true
			p.addCache(volume, u.Cache)
		}
	}
	var senders []string // what the route reads from
	if source, ok := r.Source.Config.(*amqp.SourceConfig); ok {
		p.addSource(source, batches)
		senders = []string{p.broker.queue(source.Queue).title()}
		for _, sink := range r.Sink {
			if c, ok := sink.Config.(*amqp.SinkConfig); ok {
				p.broker.routes[c.Exchange] = append(p.broker.routes[c.Exchange], source.Queue)
			}
		}
	}
	for _, sink := range r.Sink {
		p.noteStage(r.Name, feed.KindSink, sink)
		switch c := sink.Config.(type) {
		case *postgres.Config:
			p.addTable(c)
		case *validator.Config:
			s := Store{Volume: volume, Name: "validator of route " + r.Name, Role: Buffer, Rate: p.load.Rate, OnDisk: validatorReading, Full: Pauses, Senders: senders}
			s.Bounds = []Bound{byBytes("maxBytes", c.MaxBytes, s.OnDisk)}
			p.add(s)
		}
	}
}

// addSource notes the queue that a route reads.
func (p *Plan) addSource(c *amqp.SourceConfig, batches bool) {
	names := []string{c.Queue}
	if d := c.Declare; d != nil && slices.Contains(d.Shards.Queues, c.Queue) {
		names = d.Shards.Queues
	}
	for _, name := range names {
		q := p.broker.queue(name)
		q.batches = q.batches || batches
		if c.Declare == nil {
			continue
		}
		q.shards = len(names)
		q.declared(c.Declare)
		if dead := c.Declare.DeadLetter.Queue; dead != "" {
			d := p.broker.queue(dead)
			d.known, d.dead, d.batches = true, true, d.batches || batches
		}
	}
}

// addCache adds what unbatch remembers of batches.
func (p *Plan) addCache(volume string, c unbatch.Cache) {
	if c.Path == "" || slices.ContainsFunc(p.stores, func(s Store) bool { return s.Volume == volume && s.Name == "cache "+c.Path }) {
		return // routes may share one
	}
	s := Store{Volume: volume, Name: "cache " + c.Path, Role: Notes, Rate: p.load.batches().rate, OnDisk: cachedBatch, Full: Forgets}
	s.Bounds = []Bound{byBytes("maxBytes", c.MaxBytes, s.OnDisk)}
	s.Held = s.most()
	if c.MaxAge > 0 {
		s.Bounds = append(s.Bounds, s.byAge("maxAge", c.MaxAge))
	}
	p.add(s)
}

// addTable adds the readings in PostgreSQL. Feeds that write to one schema write
// the same readings.
func (p *Plan) addTable(c *postgres.Config) {
	name := "schema " + c.Schema
	s := Store{Volume: volumePostgres, Name: name, Role: History, Rate: p.load.Rate, OnDisk: postgresRow, Full: Forgets}
	if c.Retention > 0 {
		// A partition is dropped when all of it is older.
		s.Bounds = []Bound{s.byAge("retention", c.Retention)}
		s.Fixed = feed.Size(s.growth() * c.Partition.Seconds())
	}
	for i := range p.stores {
		if have := &p.stores[i]; have.Volume == volumePostgres && have.Name == name {
			if have.limit().Records < s.limit().Records {
				*have = s // what is kept for the longest time is kept
			}
			return
		}
	}
	p.add(s)
}

// addQuarantine adds a quarantine, as if it got every reading.
func (p *Plan) addQuarantine(volume string, q config.Quarantine) {
	if q.Off() {
		return
	}
	if q.Path == "" {
		volume = volumePostgres
	}
	f := p.load.readings()
	counted := f.bytes + quarantineCounted
	s := Store{Volume: volume, Name: "quarantine", Role: Refused, Rate: f.rate, OnDisk: f.bytes + quarantineOverhead, Full: Pauses}
	s.Bounds = []Bound{byBytes("maxBytes", q.MaxBytes, counted)}
	if q.Retention.MaxBytes > 0 {
		s.Full = DropsOldest
		s.Bounds = append(s.Bounds, byBytes("retention.maxBytes", q.Retention.MaxBytes, counted))
	}
	s.Held = s.most() // messages may be larger than readings, and fewer
	s.Bounds = append(s.Bounds, Bound{"maxMessages " + digits.Grouped(int64(q.MaxMessages)), float64(q.MaxMessages)})
	p.add(s)
}
