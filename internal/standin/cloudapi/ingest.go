package cloudapi

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// delivery is what a device sends in one request.
type delivery struct {
	readings []reading.Reading
	// A batch has a device, a number of 1 or more, and a checksum. Readings
	// without are of any devices, and move no watermark.
	device   string
	sequence uint64
	checksum [32]byte
}

// receipt says what became of a delivery.
type receipt struct {
	Readings int `json:"readings"` // in the delivery
	Accepted int `json:"accepted"` // of them new
	Repeated int `json:"repeated"` // of them there before
}

// put stores a delivery, all or none, and returns when it is on disk. What is
// there already is counted; a reading or a batch that is there with another
// content is a *problem. What has begun is finished, whatever becomes of ctx: the
// driver would start a goroutine for each reading to watch one that can end.
func (s *store) put(ctx context.Context, d *delivery) (receipt, error) {
	ctx = context.WithoutCancel(ctx)
	s.writing.Lock()
	defer s.writing.Unlock()
	in := ingest{ctx: ctx, delivery: d, chooser: s.chooser.copy(), now: s.now().UnixNano(), touched: map[string]*device{}}
	if err := s.writeLies(ctx, &in.lies, in.run); err != nil {
		return receipt{}, err
	}
	s.chooser = in.chooser
	s.held.Add(int64(in.receipt.Accepted))
	return in.receipt, nil
}

// ingest is the storing of one delivery.
type ingest struct {
	*delivery
	ctx     context.Context
	tx      *sql.Tx
	chooser chooser
	now     int64
	receipt receipt
	touched map[string]*device
	lies    []lie
}

func (in *ingest) run(tx *sql.Tx) error {
	in.tx = tx
	in.receipt.Readings = len(in.readings)
	if in.sequence > 0 {
		known, err := in.known()
		if err != nil {
			return err
		}
		if known {
			in.receipt.Repeated = len(in.readings)
			return nil
		}
	}
	if err := in.insert(); err != nil {
		return err
	}
	for _, d := range in.touched {
		if err := d.save(in.ctx, tx); err != nil {
			return err
		}
	}
	for i := range in.lies {
		if err := in.lies[i].save(in.ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// known reports whether the batch has been stored.
func (in *ingest) known() (bool, error) {
	var checksum []byte
	err := in.tx.QueryRowContext(in.ctx, `SELECT checksum FROM batches WHERE device = ? AND sequence = ?`, in.device, int64(in.sequence)).Scan(&checksum)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case string(checksum) != string(in.checksum[:]):
		return false, refuse(http.StatusUnprocessableEntity, "batch %d of device %q is there with another content: give each batch a number of its own", in.sequence, in.device)
	}
	return true, nil
}

// insert stores the readings and then the batch, and counts them.
func (in *ingest) insert() error {
	statement, err := in.tx.PrepareContext(in.ctx, `INSERT INTO readings VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)
	if err != nil {
		return err
	}
	defer statement.Close() //nolint:errcheck // its transaction ends with it
	var text []byte
	last := in.readings[0].Time
	for i := range in.readings {
		r := &in.readings[i]
		last = max(last, r.Time)
		text = r.AppendJSON(text[:0])
		result, err := statement.ExecContext(in.ctx, r.Time, r.Device, r.Tag, orderedSeq[int64](r.Seq), text)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if n == 0 {
			if err := in.same(i, text); err != nil {
				return err
			}
			in.receipt.Repeated++
			continue
		}
		in.receipt.Accepted++
		d, err := in.touch(r)
		if err != nil {
			return err
		}
		d.add(r.Time)
		if kind, ok := in.chooser.choose(r, len(text)); ok {
			in.lies = append(in.lies, newLie(kind, r, in.chooser.faults, in.now))
		}
	}
	if in.sequence == 0 {
		return nil
	}
	if _, err := in.tx.ExecContext(in.ctx, `INSERT INTO batches VALUES (?, ?, ?, ?)`, in.device, int64(in.sequence), last, in.checksum[:]); err != nil {
		return err
	}
	d, err := in.touch(&in.readings[0])
	if err != nil {
		return err
	}
	d.batches++
	return d.advance(in.ctx, in.tx)
}

// same makes sure that the i-th reading, which is there, is there with the same
// content.
func (in *ingest) same(i int, text []byte) error {
	r := &in.readings[i]
	var there []byte
	err := in.tx.QueryRowContext(in.ctx, `SELECT json FROM readings WHERE ts = ? AND device = ? AND tag = ? AND seq = ?`, r.Time, r.Device, r.Tag, orderedSeq[int64](r.Seq)).Scan(&there)
	if err != nil {
		return err
	}
	if string(there) != string(text) {
		return refuse(http.StatusUnprocessableEntity, "reading %d is there with another content: %.200s", i+1, there)
	}
	return nil
}

// touch returns the device of a reading.
func (in *ingest) touch(r *reading.Reading) (*device, error) {
	if d, ok := in.touched[r.Device]; ok {
		return d, nil
	}
	d, err := loadDevice(in.ctx, in.tx, r.Device)
	if err != nil {
		return nil, fmt.Errorf("load device: %w", err)
	}
	in.touched[r.Device] = d
	return d, nil
}
