package cloudapi

import "net/http"

// deviceAnswer is a device as it is told.
type deviceAnswer struct {
	Device    string  `json:"device"`
	Readings  int64   `json:"readings"`
	Batches   int64   `json:"batches"`
	First     *string `json:"first"`
	Last      *string `json:"last"`
	Sequence  uint64  `json:"sequence"`
	Watermark *string `json:"watermark"`
}

// devicesCursor is where a page of devices ended.
type devicesCursor struct {
	After string `json:"d"`
}

// listDevices is GET /v1/devices.
func (s *Server) listDevices(w http.ResponseWriter, r *http.Request) error {
	v, err := parseValues(r, "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := v.limit()
	if err != nil {
		return err
	}
	var after devicesCursor
	if text, ok := v["cursor"]; ok && !s.sealer.open(purposeDevices, text, &after) {
		return badCursor()
	}
	devices, err := s.store.devicesAfter(r.Context(), after.After, limit+1)
	if err != nil {
		return err
	}
	told := struct {
		Devices []deviceAnswer `json:"devices"`
		Next    *string        `json:"next"`
	}{Devices: []deviceAnswer{}}
	if len(devices) > limit {
		devices = devices[:limit]
		next, err := s.sealer.seal(purposeDevices, devicesCursor{devices[limit-1].name})
		if err != nil {
			return err
		}
		told.Next = &next
	}
	for i := range devices {
		told.Devices = append(told.Devices, devices[i].answer())
	}
	answer(w, http.StatusOK, "application/json", told)
	return nil
}

func (d *device) answer() deviceAnswer {
	a := deviceAnswer{Device: d.name, Readings: d.readings, Batches: d.batches, First: stamp(&d.first), Last: stamp(&d.last), Sequence: d.sequence}
	if d.watermark.Valid {
		a.Watermark = stamp(&d.watermark.Int64)
	}
	return a
}
