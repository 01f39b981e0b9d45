package policy

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/kube/site"
	"github.com/kraft-edge/datafeed/stages/blob"
	"github.com/kraft-edge/datafeed/stages/mqtt"
)

// relayTo finds the brokers that Mosquitto hands on to.
var relayTo = regexp.MustCompile(`(?m)^address (\S+)`)

// OneCloudLeg wants a reading to come to a place in the cloud, or to the broker whose data flows lead there, on one way: on
// two it would stand there twice.
func OneCloudLeg(s *site.Site) []string {
	var found breaches
	legs := map[string][]string{} // the ways, by where they lead
	for _, w := range site.Sorted(s.Workloads) {
		for _, c := range w.Pod.Spec.Containers {
			if len(c.Args) < 2 || c.Args[0] != "run" {
				continue
			}
			err := feedFile(s, w, &c, func(file *config.Config) error { return addSinks(legs, w.Name, file) })
			found.check(err == nil, "%s: %v", w.Name, err)
		}
		for _, file := range s.Files(w, &w.Pod.Spec.Containers[0]) {
			if !strings.HasPrefix(file.Path, "/mosquitto/config/") {
				continue
			}
			for _, to := range relayTo.FindAllSubmatch(file.Content, -1) {
				addLeg(legs, &url.URL{Host: string(to[1])}, w.Name+" by "+file.Path)
			}
		}
	}
	for to, ways := range legs {
		slices.Sort(ways)
		found.check(len(ways) == 1, "a reading comes to %s on %d ways: %s", to, len(ways), strings.Join(ways, ", "))
	}
	return found
}

// addSinks adds the ways that the routes of a feed are.
func addSinks(legs map[string][]string, name string, file *config.Config) error {
	for _, route := range file.Routes {
		way := fmt.Sprintf("%s by its route %s", name, route.Name)
		for _, sink := range route.Sink {
			switch c := sink.Config.(type) {
			case *blob.Config:
				legs["Blob Storage"] = append(legs["Blob Storage"], way)
			case *mqtt.Config:
				broker, err := c.URL.Parse()
				if err != nil {
					return err
				}
				addLeg(legs, broker, way)
			}
		}
	}
	return nil
}

// addLeg adds a way to a broker, if that is the one of Azure IoT Operations. What is brought to another one stays at the edge.
func addLeg(legs map[string][]string, broker *url.URL, way string) {
	const namespace = "azure-iot-operations"
	if slices.Contains(strings.Split(broker.Hostname(), "."), namespace) {
		legs[namespace] = append(legs[namespace], way)
	}
}
