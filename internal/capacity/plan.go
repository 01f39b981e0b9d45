package capacity

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kraft-edge/datafeed/feed"
)

// Plan is all that stores something, and on what.
type Plan struct {
	load    Load
	volumes map[string]*volume
	stores  []Store
	broker  broker
	notes   []string
}

// volume is a disk.
type volume struct {
	size    feed.Size // 0: not known
	asked   bool      // somebody asks for it by name
	reserve feed.Size // must stay free
	fixed   feed.Size // taken by its server, whatever is stored
	full    Effect
}

// The volumes that are none of a feed.
const (
	volumeRabbitMQ  = "rabbitmq"
	volumePostgres  = "postgres"
	volumeMosquitto = "mosquitto"
)

// NewPlan returns an empty plan.
func NewPlan(l Load) *Plan {
	return &Plan{load: l, volumes: make(map[string]*volume), broker: newBroker()}
}

// SetVolume says how large a volume is: rabbitmq, postgres, mosquitto, or one
// that has the name of a feed. It replaces what a manifest says, which may have
// volumes of others, too.
func (p *Plan) SetVolume(name string, size feed.Size) {
	v := p.volume(name)
	v.size, v.asked = size, true
}

// volume returns the volume of a name, which is made when there is none.
func (p *Plan) volume(name string) *volume {
	v := p.volumes[name]
	if v == nil {
		v = &volume{full: Pauses}
		switch name {
		case volumeRabbitMQ:
			v.full, v.reserve = Blocks, diskFreeLimit
		case volumePostgres:
			v.fixed = postgresWAL
		case volumeMosquitto:
			v.full = Unsaved
		}
		p.volumes[name] = v
	}
	return v
}

// add puts a store on its volume.
func (p *Plan) add(s Store) {
	p.volume(s.Volume)
	p.stores = append(p.stores, s)
}

// all returns the stores by volume and name, those of the broker among them.
func (p *Plan) all() []Store {
	all := slices.Concat(p.stores, p.broker.stores(p.load))
	slices.SortStableFunc(all, func(a, b Store) int {
		return cmp.Or(cmp.Compare(a.Volume, b.Volume), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// check reports volumes that were given and that nothing lies on.
func (p *Plan) check(stores []Store) error {
	used := make(map[string]bool)
	for _, s := range stores {
		used[s.Volume] = true
	}
	var names []string
	for name := range p.volumes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !used[name] && p.volumes[name].asked {
			return &feed.ConfigError{Key: "--volume", Problem: fmt.Sprintf("nothing lies on a volume %q", name), Remedy: fmt.Sprintf("use one of %v", sorted(used))}
		}
	}
	return nil
}

func sorted(names map[string]bool) []string {
	var all []string
	for name := range names {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
