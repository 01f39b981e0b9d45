// Package simulate is a source for trying and testing an ingest: the devices of a
// factory, which send their readings in batches.
//
// # Terms
//
// A device is a machine with its controller. It samples its tags at a period of
// its own and closes a batch each batch.readings readings, or when batch.every
// has passed, whichever comes first; its first batch is shorter, so that the
// devices do not all send at once. Its batches have sequences from 1, its
// readings a seq from 1, both without gaps.
//
// A message is a frame of package feed/reading/batch. Its topic is
//
//	batches.<site>.<line>.<device>
//
// its id <device>/<sequence>, its time that of its last reading.
//
// # Signals
//
// A machine runs, idles and breaks down, works in cycles, changes its recipe and
// warms up; its tags follow: temperatures with lag, drift, noise and the steps of
// a converter, counters that are reset, set points and texts that seldom change,
// alarms that are rare. A sensor may be out for a while (no value, quality bad),
// be uncertain, or give NaN.
//
// What a device sends is a pure function of configuration, seed, device and
// sequence: any two simulators of one configuration make the same batches with
// the same bytes, in any process that runs the same build. Without start the time
// at which the simulator was made is a part of that.
//
// # Time
//
// With a rate, the periods follow from it, and a batch is due when its last
// reading has been taken, by the clock from the first Receive on. While nobody
// takes batches nothing is kept: they are made when they are taken, with the
// times that they had, as a device does that was offline. With rate 0 a device
// samples each period, more or less, and batches come as fast as they are taken.
//
// # Chaos
//
// On demand the source also does what devices and networks do wrong, see
// [Chaos]. Nothing of the truth is missing then: each batch comes intact, too.
// [Source.Report] says exactly what was done.
//
// # Delivery
//
// The source behaves like a queue of a broker, see internal/maker: what is
// unsettled when a subscription is closed comes again, first and in order. After
// count readings (the last batch may be shorter) Receive returns io.EOF. Nothing
// survives the process: a new one begins with each device's first batch.
//
// # Configuration
//
//	simulate:
//	  sites: [plant1]
//	  lines: 4               # of each site
//	  devices: 20
//	  tags: 16               # of each device
//	  rate: 1000             # readings a second; 0: as fast as they are taken
//	  period: 100ms          # between two samples of a device, with rate 0
//	  count: 0               # 0: without end
//	  seed: 1
//	  start: ""              # RFC 3339
//	  batch: {readings: 1000, every: 10s}
//	  codec: json+gzip       # json+zstd, columnar, or mixed by device
//	  chaos: {corrupt: 1%, duplicate: 2%, reorder: 2%, garbage: 0.5%, conflict: 0.1%, within: 3, skew: 30s, drift: 0.01%}
//	  window: 1000
package simulate
