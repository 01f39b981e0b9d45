package cloudapi

import (
	"github.com/google/wire"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// Set provides the expectation.
var Set = wire.NewSet(NewExpectation)

// Factories returns the factory of the cloudapi expectation.
func Factories() []feed.Factory {
	return []feed.Factory{
		validate.ExpectationFactory("cloudapi", "Expects what the API of the vendor's cloud tells.", DefaultConfig, NewExpectation),
	}
}
