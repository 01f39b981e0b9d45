package simulate_test

import (
	"fmt"

	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

func ExampleSimulator() {
	config := simulate.DefaultConfig()
	config.Devices, config.Rate, config.Start = 2, 0, "2026-01-01T00:00:00Z"
	s, err := simulate.NewSimulator(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range s.Readings(nil, 1, 1000)[:4] {
		fmt.Println(string(r.AppendJSON(nil)))
	}
	frame, err := s.Frame(nil, 1, 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := batch.Parse(frame, batch.Limits{})
	fmt.Println(b.Device, b.Sequence, b.Codec, err)
	// Output:
	// {"site":"plant1","line":"line2","device":"mill0002","tag":"speed","ts":"2026-01-01T02:46:25.092Z","value":1317.0,"quality":"good","seq":861873}
	// {"site":"plant1","line":"line2","device":"mill0002","tag":"vibration","ts":"2026-01-01T02:46:25.092Z","value":0.7220969200134277,"quality":"good","seq":861874}
	// {"site":"plant1","line":"line2","device":"mill0002","tag":"level","ts":"2026-01-01T02:46:25.092Z","value":60.6,"quality":"good","seq":861875}
	// {"site":"plant1","line":"line2","device":"mill0002","tag":"position","ts":"2026-01-01T02:46:25.092Z","value":168,"quality":"good","seq":861876}
	// mill0002 1000 json+gzip <nil>
}
