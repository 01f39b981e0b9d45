package generate_test

import (
	"fmt"

	"github.com/kraft-edge/datafeed/stages/generate"
)

func ExampleGenerator() {
	config := generate.DefaultConfig()
	config.Devices, config.Tags = 2, 1
	config.Start = "2026-01-01T00:00:00Z"
	g, err := generate.NewGenerator(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 4 {
		r := g.Next()
		fmt.Printf("%s %d %s\n", r.AppendRoutingKey(nil), r.Seq, r.At().Format("15:04:05.000"))
	}
	// Output:
	// telemetry.plant1.line1.device0001.temperature 1 00:00:00.000
	// telemetry.plant1.line2.device0002.temperature 1 00:00:00.001
	// telemetry.plant1.line1.device0001.temperature 2 00:00:00.002
	// telemetry.plant1.line2.device0002.temperature 2 00:00:00.003
}
