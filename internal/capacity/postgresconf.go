package capacity

import (
	"fmt"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
)

// AddPostgresConf takes over what postgresql.conf bounds beside the tables: the
// write-ahead log, what of it slots of replication keep, temporary files. Slots
// and temporary files without a bound are not reckoned with.
func (p *Plan) AddPostgresConf(file string, data []byte) error {
	sizes := map[string]feed.Size{"max_wal_size": postgresWAL, "max_slot_wal_keep_size": 0, "temp_file_limit": 0}
	units := map[string]string{"max_wal_size": "MB", "max_slot_wal_keep_size": "MB", "temp_file_limit": "kB"} // of a bare number
	err := settings(data, func(line int, key, value string) error {
		unit, known := units[key]
		if !known {
			return nil
		}
		size, err := postgresSize(value, unit)
		if err != nil {
			return fmt.Errorf("%s:%d: %s: %w", file, line, key, err)
		}
		sizes[key] = size // of two lines the last one counts
		return nil
	}, "=")
	if err != nil {
		return err
	}
	v := p.volume(volumePostgres)
	v.fixed = 0
	for _, size := range sizes {
		v.fixed += size
	}
	return nil
}

// postgresSize reads a size as PostgreSQL does: its units are powers of 1024, and
// -1 is no bound.
func postgresSize(text, unit string) (feed.Size, error) {
	text, _, _ = strings.Cut(text, "#")
	text = strings.Trim(strings.TrimSpace(text), "'")
	if text == "-1" {
		return 0, nil
	}
	if strings.Trim(text, "0123456789") == "" {
		text += unit
	}
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if number, found := strings.CutSuffix(text, u); found {
			return feed.ParseSize(number + strings.ToUpper(u[:1]) + "iB")
		}
	}
	return 0, fmt.Errorf("%q is no size: write a whole number and one of the units kB, MB, GB, TB", text)
}
