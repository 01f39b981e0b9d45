// Package generate is a source for trying things: the readings of a simulated
// factory.
//
// # Terms
//
// A reading is one value of one tag of a device, as a JSON object in the form of
// package feed/reading, and padded to payloadBytes:
//
//	{"site":"plant1","line":"line2","device":"device0007","tag":"temperature",
//	 "ts":"2026-01-01T00:00:00.001Z","value":21.37,"quality":"good","seq":12,"pad":"xx…"}
//
// seq counts the readings of a device, from 1, without gaps. Devices take
// turns. The topic of a message is the routing key
//
//	telemetry.<site>.<line>.<device>.<tag>
//
// and its metadata also holds the time and the content type.
//
// Everything but the time follows from the seed. The time does so too when
// start is set: readings are then 1/rate apart (1 ms when rate is 0). Without
// start it is the time at which the reading is made, or was due.
//
// # Delivery
//
// The source behaves like a queue of a broker. It hands out at most window
// unsettled messages. What is unsettled when a subscription is closed comes
// again on the next one, first and in order, marked as redelivered, with the
// same bytes. One subscription is open at a time. After count readings Receive
// returns io.EOF; what was unsettled then still comes again if it is given
// back. Nothing survives the process: a new one begins at the first reading.
//
// With a rate, readings become due whether or not they are taken, and what has
// piled up is handed out as fast as it is taken.
//
// # Configuration
//
//	generate:
//	  site: plant1
//	  lines: 4
//	  devices: 200
//	  tags: 5
//	  rate: 1000          # readings a second; 0: as fast as they are taken
//	  count: 0            # 0: without end
//	  payloadBytes: 200
//	  seed: 1
//	  start: ""           # RFC 3339
//	  window: 10000
package generate
