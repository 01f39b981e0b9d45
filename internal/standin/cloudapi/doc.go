// Package cloudapi stands in for a vendor's cloud API: devices deliver readings
// to it beside the feed, and a validator asks it for what there should be. No
// vendor's API is public, so this one is the project's own invention; whoever
// has the real one puts it in its place. docs/cloud-api.md tells how to use it,
// openapi.json is its description.
//
// # What it promises
//
// It is honest unless told to lie. A delivery is answered when it is committed to
// disk, and what was delivered is told to the bit. Readings are one when device,
// tag, time and seq are equal, so a delivery may be repeated. Pages follow on a
// key, not on an offset: readings that are there when the first page is asked for
// come exactly once, whatever is added meanwhile.
//
// # Watermark
//
// The watermark of a device is the greatest time in its batches 1 to n, where n is
// the greatest number up to which none is missing. The watermark of the API is the
// least of all devices' less [Options.AllowedLateness]. Readings of times before
// it are complete, provided that no device delivers a reading older than its
// watermark by more than that lateness. There is none before each device, and
// [Options.Devices] of them, has delivered batch 1.
//
// # Faults
//
// [Faults] make it lie about some readings, chosen by a seed, and tell the
// administrator about which. What is stored stays true: lies are applied when
// readings are told, and end when the faults do.
package cloudapi
