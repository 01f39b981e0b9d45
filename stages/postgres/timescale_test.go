package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// fakeTimescale stands in for the extension, which Debian does not have: functions
// with its names, parameters and types note that they were called.
const fakeTimescale = `
	CREATE SCHEMA timescale;
	CREATE TABLE timescale.calls (call text);
	SET allow_system_table_mods = on;
	INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
		VALUES (99999, 'timescaledb', (SELECT oid FROM pg_roles WHERE rolname = current_user), 'timescale'::regnamespace, false, '2.17.0');
	CREATE FUNCTION timescale.create_hypertable(relation regclass, time_column_name name, partitioning_column name DEFAULT NULL, chunk_time_interval anyelement DEFAULT NULL::bigint) RETURNS void LANGUAGE sql
		AS $$ INSERT INTO timescale.calls VALUES (format('hypertable %s %s %s', relation, time_column_name, chunk_time_interval::text)) $$;
	CREATE FUNCTION timescale.set_chunk_time_interval(hypertable regclass, chunk_time_interval anyelement, dimension_name name DEFAULT NULL) RETURNS void LANGUAGE sql
		AS $$ INSERT INTO timescale.calls VALUES (format('chunk %s %s', hypertable, chunk_time_interval::text)) $$;
	CREATE FUNCTION timescale.remove_compression_policy(hypertable regclass, if_exists boolean DEFAULT false) RETURNS boolean LANGUAGE sql
		AS $$ INSERT INTO timescale.calls VALUES (format('no compression %s %s', hypertable, if_exists)); SELECT true $$;
	CREATE FUNCTION timescale.add_compression_policy(hypertable regclass, compress_after interval, if_not_exists boolean DEFAULT false) RETURNS integer LANGUAGE sql
		AS $$ INSERT INTO timescale.calls VALUES (format('compression %s %s', hypertable, compress_after)); SELECT 1 $$;
	CREATE FUNCTION timescale.remove_retention_policy(relation regclass, if_exists boolean DEFAULT false) RETURNS void LANGUAGE sql
		AS $$ INSERT INTO timescale.calls VALUES (format('no retention %s %s', relation, if_exists)) $$;
	CREATE FUNCTION timescale.add_retention_policy(relation regclass, drop_after interval, if_not_exists boolean DEFAULT false) RETURNS integer LANGUAGE sql
		AS $$ INSERT INTO timescale.calls VALUES (format('retention %s %s', relation, drop_after)); SELECT 1 $$;
`

// TestTimescale checks as much of the path for TimescaleDB as can be without it:
// what is called, with what, and that nothing is partitioned by this package. The
// statement that turns compression on is known to the extension alone.
func TestTimescale(t *testing.T) {
	t.Parallel() // it waits most of the time
	c := configOf(testenv.PostgreSQL(t).URL())
	sql, err := SQL(c.Schema)
	if err != nil {
		t.Fatal(err)
	}
	const compress = `ALTER TABLE points SET (timescaledb.compress, timescaledb.compress_segmentby = 'series', timescaledb.compress_orderby = 'ts, ns, seq');`
	if strings.Count(sql, compress) != 1 {
		t.Fatal("compression is not turned on, or otherwise")
	}
	exec(t, c, fakeTimescale+strings.Replace(sql, compress, "NULL;", 1))
	c.Retention = 90 * day
	s := openSink(t, c)
	mustPublish(t, s, at(noon, 1), at(noon.Add(-80*day), 2))
	s.now = func() time.Time { return noon.Add(day) }
	mustPublish(t, s, at(noon, 3))
	checkStored(t, c, at(noon, 1), at(noon.Add(-80*day), 2), at(noon, 3))
	const calls = `SELECT string_agg(call, ', ') FROM timescale.calls`
	const want = "hypertable points ts 1 day, chunk points 24:00:00, no compression points t, compression points 168:00:00, no retention points t, retention points 2160:00:00"
	if got := query[string](t, c, calls); got != want {
		t.Errorf("called was %s, want %s", got, want)
	}
	exec(t, c, `DELETE FROM timescale.calls`)
	c.Retention = 0
	mustPublish(t, openSink(t, c), at(noon, 4))
	const forEver = "chunk points 24:00:00, no compression points t, compression points 168:00:00, no retention points t"
	if got := query[string](t, c, calls); got != forEver {
		t.Errorf("called was %s, want %s", got, forEver)
	}
	exec(t, c, `DELETE FROM timescale.calls`)
	c.Retention = 30 * day
	other := openSink(t, c)
	other.writer.feed = "other/r"
	mustPublish(t, other, at(noon, 5))
	if got := query[string](t, c, calls); got != forEver {
		t.Errorf("a feed with a shorter retention: called was %s, want %s", got, forEver)
	}
}
