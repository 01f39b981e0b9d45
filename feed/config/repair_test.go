package config_test

import (
	"log/slog"
	"testing"

	"github.com/kraft-edge/datafeed/feed/config"
)

const goodRepair = `
quarantine: {path: q.db}
routes:
  archive:
    source: {queue: {queue: q}}
    transforms: [{bridge: {}}, {split: {}}, {bridge: {}}]
    sink: {place: {}}
validate:
  expect: {cloud: {url: "${AMQP_URL}", token: "${TOKEN}"}}
  observe: {store: {}}
  repair:
    route: archive
    from: {quarantine: {}, tank: {name: left}}
`

// TestRepairPlaces: they stand in the order of the file, and none needs to be there
// to compare.
func TestRepairPlaces(t *testing.T) {
	c := parse(t, goodRepair)
	if err := compileSchema(t).Validate(asJSON(t, goodRepair)); err != nil {
		t.Error(err)
	}
	var names []string
	for i := range c.Validate.Repair.From {
		p, err := c.RepairFrom(i, true, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, p.Name)
		if (p.Side != nil) != (i == 1) || p.Source != nil || p.Route.Name != "archive" || p.Route.Source != nil || p.Route.Sink == nil || len(p.Route.Transforms) != 3-2*i {
			t.Errorf("place %d is %+v", i, p)
		}
		if p.Side != nil {
			if err := p.Side.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := p.Route.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(names) != 2 || names[0] != config.PlaceQuarantine || names[1] != "tank" {
		t.Errorf("places %v", names)
	}
}
