package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
)

// checkCycles refuses routes that lead messages round and round. It reports
// each cycle once, at the route of it that stands first.
func (d *decoder) checkCycles(routes Routes) {
	g := newEndpointGraph(routes)
	done := make([]bool, len(routes))
	for start := range routes {
		if done[start] {
			continue
		}
		steps := g.pathBack(start)
		if steps == nil {
			continue
		}
		var b strings.Builder
		b.WriteString(routes[start].Name)
		for _, s := range steps {
			done[s.to] = true
			fmt.Fprintf(&b, " → %s → %s", shorten(presentable(s.through)), routes[s.to].Name)
		}
		r := routes[start]
		d.problem(r.key, joinKey("routes", r.Name), "messages would go round for ever: "+b.String(), "let one of these routes read from or write to another place")
	}
}

// checkShared points out routes that compete for the messages of one place:
// those that read the very same endpoints. To have some in common is no sign of
// it, for two queues may be bound to one exchange.
func (d *decoder) checkShared(routes Routes) {
	readers := map[string]*Route{}
	for _, r := range routes {
		reads := r.reads()
		if len(reads) == 0 {
			continue
		}
		places := make([]string, len(reads))
		for i, e := range reads {
			places[i] = samePlace(e)
		}
		slices.Sort(places)
		all := strings.Join(places, "\n")
		if other := readers[all]; other != nil {
			d.warn(r.key, joinKey("routes", r.Name), fmt.Sprintf("reads %s as route %s does: each of them gets a part of the messages", shorten(presentable(reads[0])), other.Name),
				"give each route a queue of its own, or list the sinks of one route under all:")
			continue
		}
		readers[all] = r
	}
}

func (r *Route) reads() []string {
	if ep, ok := r.Source.Config.(feed.EndpointConfig); ok && r.Source.ok {
		return ep.Reads()
	}
	return nil
}

func (r *Route) writes() []string {
	var all []string
	for _, s := range r.Sink {
		all = append(all, s.writes()...)
	}
	return all
}

func (s *Stage) writes() []string {
	if ep, ok := s.Config.(feed.EndpointConfig); ok && s.ok {
		return ep.Writes()
	}
	return nil
}

// step leads to a route through the endpoint that it reads.
type step struct {
	to      int
	through string
}

// endpointGraph says which routes each route feeds.
type endpointGraph [][]step

func newEndpointGraph(routes Routes) endpointGraph {
	readers := map[string][]int{}
	for i, r := range routes {
		for _, e := range r.reads() {
			readers[samePlace(e)] = append(readers[samePlace(e)], i)
		}
	}
	g := make(endpointGraph, len(routes))
	for i, r := range routes {
		for _, e := range r.writes() {
			for _, to := range readers[samePlace(e)] {
				g[i] = append(g[i], step{to, e})
			}
		}
	}
	return g
}

// pathBack returns the shortest way from a route back to itself, or nil.
func (g endpointGraph) pathBack(start int) []step {
	from := make([]*step, len(g)) // how a route was reached
	prev := make([]int, len(g))
	for queue := []int{start}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, s := range g[at] {
			if from[s.to] != nil {
				continue
			}
			from[s.to], prev[s.to] = &s, at
			if s.to != start {
				queue = append(queue, s.to)
				continue
			}
			var path []step
			for i := start; ; i = prev[i] {
				path = append(path, *from[i])
				if prev[i] == start {
					slices.Reverse(path)
					return path
				}
			}
		}
	}
	return nil
}

// samePlace gives the names of this machine one form, so that endpoints that
// are the same compare equal: localhost for 127.0.0.1 and ::1.
func samePlace(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || !net.ParseIP(u.Hostname()).IsLoopback() {
		return endpoint
	}
	host := "localhost"
	if port := u.Port(); port != "" {
		host = net.JoinHostPort(host, port)
	}
	u.Host = host
	return u.String()
}

// presentable hides a password that a stage left in the name of an endpoint.
func presentable(endpoint string) string {
	if u, err := url.Parse(endpoint); err == nil && u.User != nil {
		return u.Redacted()
	}
	return endpoint
}
