package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// count compares what has arrived with what the cloud API serves, and accounts
// for every hop.
func (s *stage) count(ctx context.Context, r *Report) error {
	client, err := newAPIClient(s.api)
	if err != nil {
		return err
	}
	defer client.close()
	truth := newArrivals()
	if r.API.Pages, err = client.readings(ctx, truth); err != nil {
		return err
	}
	r.API.Readings = uint64(truth.contents.Distinct())
	if r.MQTT, err = compareNamed(ctx, client, truth, s.received); err != nil {
		return err
	}
	stored := newArrivals()
	if r.Blobs.Objects, err = readInOrder(s.path(blobsName), stored); err != nil {
		return fmt.Errorf("read the blobs: %w", err)
	}
	if r.Blobs.Comparison, err = compareNamed(ctx, client, truth, stored); err != nil {
		return err
	}
	if s.database != nil {
		rows := newArrivals()
		if err := s.database.read(ctx, rows); err != nil {
			return err
		}
		c, err := compareNamed(ctx, client, truth, rows)
		if err != nil {
			return err
		}
		r.PostgreSQL = &c
	}
	if r.Validation, err = s.validate(ctx); err != nil {
		return err
	}
	for _, f := range []*running{s.devices, s.feed} {
		for _, route := range f.feed.Status().Routes {
			r.account(route)
		}
	}
	slices.SortStableFunc(r.Routes, func(a, b RouteAccount) int { return order(a.Name) - order(b.Name) })
	r.Devices.Count = s.options.Devices
	r.Devices.Report = s.simulated.report(s.disturbed())
	r.Truth = s.simulated.report(routeTruth)
	r.Rate = float64(r.Devices.Readings) / max(r.SendSeconds, 0.001)
	r.Quarantine, err = s.quarantined(ctx)
	return err
}

// compareNamed compares a place with the truth, and asks the cloud API again for
// the names of readings that are altered.
func compareNamed(ctx context.Context, client *apiClient, truth, arrived *arrivals) (Comparison, error) {
	c := compare(truth, arrived)
	if c.Altered == 0 {
		return c, nil
	}
	names := &alteredNames{arrived: arrived.contents}
	_, err := client.readings(ctx, names)
	c.FirstAltered = names.names
	return c, err
}

// disturbed is the route of the devices whose batches go wrong.
func (s *stage) disturbed() string {
	if s.place == nil {
		return routeDirect
	}
	return routeDevices
}

// quarantined counts what stands in the quarantine of the feed, by reason.
func (s *stage) quarantined(ctx context.Context) (map[string]uint64, error) {
	reader, err := quarantine.OpenReadOnly(ctx, s.feed.quarantine.Place())
	if err != nil {
		return nil, err
	}
	counts := map[string]uint64{}
	q := quarantine.Query{Limit: quarantine.MaxLimit}
	for {
		items, err := reader.List(ctx, q)
		if err != nil {
			return nil, errors.Join(err, reader.Close())
		}
		for _, it := range items {
			counts[reasonOf(it.Reason)]++
			q.Before = it.ID
		}
		if len(items) < q.Limit {
			return counts, reader.Close()
		}
	}
}

// reasonOf returns the word for what is wrong with a batch.
func reasonOf(reason string) string {
	for word := range strings.SplitSeq(reason, ":") {
		w := strings.TrimSpace(word)
		if w == "conflict" { // of two batches: unbatch finds it
			return w
		}
		switch batch.Reason(w) {
		case batch.ReasonFormat, batch.ReasonTruncated, batch.ReasonChecksum, batch.ReasonCodec, batch.ReasonBody,
			batch.ReasonReading, batch.ReasonCount, batch.ReasonDevice, batch.ReasonTimes, batch.ReasonLimits:
			return w
		}
	}
	return "other"
}

// readInOrder records the lines of the files below dir in the order in which they
// were written, so that lines out of order show. It returns how many there are.
func readInOrder(dir string, to witness.Recorder) (objects int, err error) {
	type written struct {
		path string
		at   time.Time
	}
	var files []written
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nothing was delivered
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files = append(files, written{path, info.ModTime()})
		return nil
	})
	if err != nil {
		return 0, err
	}
	slices.SortFunc(files, func(a, b written) int { return a.at.Compare(b.at) })
	for _, f := range files {
		n, err := witness.ReadDirectory(f.path, to)
		if err != nil {
			return objects, err
		}
		objects += n
	}
	return objects, nil
}
