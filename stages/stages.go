// Package stages lists the stages that the binary contains. A new stage is a
// folder of its own and two lines in this file: its import and its factories.
package stages

import (
	"slices"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/blob"
	"github.com/kraft-edge/datafeed/stages/bridge"
	"github.com/kraft-edge/datafeed/stages/cloudapi"
	"github.com/kraft-edge/datafeed/stages/generate"
	"github.com/kraft-edge/datafeed/stages/http"
	"github.com/kraft-edge/datafeed/stages/log"
	"github.com/kraft-edge/datafeed/stages/mqtt"
	"github.com/kraft-edge/datafeed/stages/postgres"
	"github.com/kraft-edge/datafeed/stages/simulate"
	"github.com/kraft-edge/datafeed/stages/unbatch"
	"github.com/kraft-edge/datafeed/stages/validator"
)

// All returns the factories of all stages, for [feed.NewRegistry].
func All() []feed.Factory {
	return slices.Concat(
		amqp.Factories(),
		blob.Factories(),
		bridge.Factories(),
		cloudapi.Factories(),
		generate.Factories(),
		http.Factories(),
		log.Factories(),
		mqtt.Factories(),
		postgres.Factories(),
		simulate.Factories(),
		unbatch.Factories(),
		validator.Factories(),
	)
}
