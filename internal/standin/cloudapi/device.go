package cloudapi

import (
	"context"
	"database/sql"
	"errors"
	"math"
)

// device is what is known of a device.
type device struct {
	name     string
	readings int64
	batches  int64
	// first and last are the least and the greatest time of its readings.
	first, last int64
	// sequence is the greatest number up to which no batch is missing.
	sequence uint64
	// watermark is the greatest time in those batches; not valid without any.
	watermark sql.NullInt64
}

const deviceColumns = `device, readings, batches, first, last, sequence, watermark`

func (d *device) scan(scan func(...any) error) error {
	var sequence int64 // which may have wrapped
	err := scan(&d.name, &d.readings, &d.batches, &d.first, &d.last, &sequence, &d.watermark)
	d.sequence = uint64(sequence)
	return err
}

// loadDevice returns a device, a new one when nothing is known of it.
func loadDevice(ctx context.Context, tx *sql.Tx, name string) (*device, error) {
	var d device
	err := d.scan(tx.QueryRowContext(ctx, `SELECT `+deviceColumns+` FROM devices WHERE device = ?`, name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return &device{name: name, first: math.MaxInt64, last: math.MinInt64}, nil
	}
	return &d, err
}

// add counts a reading.
func (d *device) add(at int64) {
	d.readings++
	d.first, d.last = min(d.first, at), max(d.last, at)
}

// advance moves the watermark over the batches that follow without a gap.
func (d *device) advance(ctx context.Context, tx *sql.Tx) error {
	for {
		var last int64
		err := tx.QueryRowContext(ctx, `SELECT last FROM batches WHERE device = ? AND sequence = ?`, d.name, int64(d.sequence+1)).Scan(&last)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		d.sequence++
		if !d.watermark.Valid || last > d.watermark.Int64 {
			d.watermark = sql.NullInt64{Int64: last, Valid: true}
		}
	}
}

func (d *device) save(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO devices (`+deviceColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		d.name, d.readings, d.batches, d.first, d.last, int64(d.sequence), d.watermark)
	return err
}

// devicesAfter returns devices in the order of their names, behind one.
func (s *store) devicesAfter(ctx context.Context, name string, limit int) ([]device, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT `+deviceColumns+` FROM devices WHERE device > ? ORDER BY device LIMIT ?`, name, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	var devices []device
	for rows.Next() {
		var d device
		if err := d.scan(rows.Scan); err != nil {
			return nil, err
		}
		devices = append(devices, d)
	}
	return devices, rows.Err()
}
