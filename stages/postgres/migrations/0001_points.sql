-- The tables, for a schema that stands first in search_path, before pg_temp.

-- The newest row is the version of the schema.
CREATE TABLE schema_versions (
	version integer PRIMARY KEY,
	applied timestamptz NOT NULL DEFAULT now()
);
INSERT INTO schema_versions (version) VALUES (1);

-- Which device and tag a point belongs to.
CREATE TABLE series (
	id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	device text COLLATE "C" NOT NULL,
	tag    text COLLATE "C" NOT NULL,
	UNIQUE (device, tag)
);

-- Where it stood. A device that is moved keeps its series.
CREATE TABLE places (
	id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	site text COLLATE "C" NOT NULL,
	line text COLLATE "C" NOT NULL,
	UNIQUE (site, line)
);

-- Points are the values. ts is the time to the microsecond and ns what is below,
-- 0 to 999. seq is the sequence number minus 2^63, so that it sorts as it
-- counts. One of float, int, bool, text and raw holds the value, or none of them
-- when there is none; raw is a text in UTF-8 with a zero character, which text
-- cannot hold.
DO $$
DECLARE
	timescale text := (SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb');
BEGIN
	EXECUTE $sql$
		CREATE TABLE points (
			ts      timestamptz NOT NULL,
			seq     bigint NOT NULL,
			float   double precision,
			int     bigint,
			series  integer NOT NULL,
			place   integer NOT NULL,
			ns      smallint NOT NULL,
			bool    boolean,
			quality text COLLATE "C" NOT NULL,
			text    text COLLATE "C",
			raw     bytea,
			PRIMARY KEY (series, ts, ns, seq)
		)$sql$ || CASE WHEN timescale IS NULL THEN ' PARTITION BY RANGE (ts)' ELSE '' END;
	IF timescale IS NOT NULL THEN
		EXECUTE format('SELECT %s.create_hypertable(%L::regclass, %L::name, chunk_time_interval => interval %L)', timescale, 'points', 'ts', '1 day');
		ALTER TABLE points SET (timescaledb.compress, timescaledb.compress_segmentby = 'series', timescaledb.compress_orderby = 'ts, ns, seq');
	END IF;
END $$;

-- A probe is a row that is rolled back: it shows that there is room again.
CREATE TABLE probes (data bytea NOT NULL);
ALTER TABLE probes ALTER data SET STORAGE EXTERNAL;

CREATE VIEW readings AS
SELECT p.ts, p.ns, l.site, l.line, s.device, s.tag,
	CASE
		WHEN p.float IS NOT NULL THEN 'float'
		WHEN p.int IS NOT NULL THEN 'int'
		WHEN p.bool IS NOT NULL THEN 'bool'
		WHEN p.text IS NOT NULL OR p.raw IS NOT NULL THEN 'text'
		ELSE 'none'
	END AS kind,
	coalesce(p.float::text, p.int::text, p.bool::text, p.text, encode(p.raw, 'escape')) AS value,
	coalesce(p.float, p.int::double precision) AS number,
	p.quality,
	p.seq::numeric + 9223372036854775808 AS seq
FROM points p JOIN series s ON s.id = p.series JOIN places l ON l.id = p.place;

-- The partitions of points that take rows; there are none in a hypertable.
CREATE VIEW partitions AS
SELECT c.oid::regclass AS name,
	coalesce(substring(b.bound FROM 'FROM \(''([^'']+)''\)')::timestamptz, '-infinity') AS lower,
	coalesce(substring(b.bound FROM 'TO \(''([^'']+)''\)')::timestamptz, 'infinity') AS upper
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS bound) b
WHERE i.inhparent = 'points'::regclass AND b.bound <> 'DEFAULT' AND NOT i.inhdetachpending;

-- Makes sure that there is a partition for a time. It is attached, and not
-- created in place: that would have to wait for all who read, and all who write
-- for it. Where partitions of another width are there it fills the gap. A table
-- that somebody has detached is left as it is, and its name to it; a detaching that
-- was begun and given up is completed when it is in the way, which it would be for
-- ever.
CREATE FUNCTION ensure_partition(at timestamptz, width interval) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	lo timestamptz := date_bin(width, at, '2001-01-01 00:00+00'); -- a Monday
	hi timestamptz := lo + width;
	base text;
	part text;
	attach text;
	n integer := 1;
BEGIN
	PERFORM pg_advisory_xact_lock(1885761893, 'points'::regclass::oid::integer);
	IF EXISTS (SELECT FROM partitions p WHERE p.lower <= at AND at < p.upper) THEN
		RETURN;
	END IF;
	lo := greatest(lo, (SELECT max(p.upper) FROM partitions p WHERE p.upper <= at));
	hi := least(hi, (SELECT min(p.lower) FROM partitions p WHERE p.lower > at));
	base := 'points_' || to_char(lo AT TIME ZONE 'UTC', 'YYYYMMDD_HH24MISS');
	part := base;
	WHILE to_regclass(quote_ident(part)) IS NOT NULL LOOP
		n := n + 1;
		part := base || '_' || n;
	END LOOP;
	EXECUTE format('CREATE TABLE %I (LIKE points INCLUDING ALL)', part);
	attach := format('ALTER TABLE points ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part, lo, hi);
	BEGIN
		EXECUTE attach;
	EXCEPTION WHEN invalid_object_definition THEN -- it overlaps one that is being detached
		FOR part IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'points'::regclass AND inhdetachpending LOOP
			EXECUTE format('ALTER TABLE points DETACH PARTITION %s FINALIZE', part);
		END LOOP;
		EXECUTE attach;
	END;
END $$;

-- How long the feeds want readings to be kept; null is for ever. The longest
-- holds, since all write into the same partitions.
CREATE TABLE retentions (
	feed      text COLLATE "C" PRIMARY KEY,
	retention interval
);

-- Notes how long a feed wants readings to be kept, and returns the row that holds.
CREATE FUNCTION keep_for(who text, long interval) RETURNS retentions
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	longest retentions;
BEGIN
	PERFORM pg_advisory_xact_lock(1885761893, 'points'::regclass::oid::integer);
	IF NOT EXISTS (SELECT FROM retentions WHERE feed = who AND retention IS NOT DISTINCT FROM long) THEN
		INSERT INTO retentions (feed, retention) VALUES (who, long) ON CONFLICT (feed) DO UPDATE SET retention = long;
	END IF;
	SELECT * INTO longest FROM retentions ORDER BY retention DESC NULLS FIRST, feed <> who, feed LIMIT 1;
	RETURN longest;
END $$;

-- Drops the oldest partition that is older than any feed wants it kept at a time,
-- and returns its name, or null. It gives up when somebody reads points for longer.
CREATE FUNCTION drop_partition(at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '2s' AS $$
DECLARE
	part text;
BEGIN
	PERFORM pg_advisory_xact_lock(1885761893, 'points'::regclass::oid::integer);
	IF EXISTS (SELECT FROM retentions WHERE retention IS NULL) THEN
		RETURN NULL;
	END IF;
	SELECT p.name::text INTO part FROM partitions p
	WHERE p.upper <= at - (SELECT max(retention) FROM retentions) ORDER BY p.upper LIMIT 1;
	IF part IS NOT NULL THEN
		EXECUTE 'DROP TABLE ' || part;
	END IF;
	RETURN part;
END $$;

-- Sets width, compression and retention of a hypertable.
CREATE FUNCTION keep_hypertable(width interval, compress_after interval) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	timescale text := (SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb');
	longest interval := (SELECT max(retention) FROM retentions HAVING count(*) = count(retention));
BEGIN
	EXECUTE format('SELECT %s.set_chunk_time_interval(%L::regclass, interval %L)', timescale, 'points', width);
	EXECUTE format('SELECT %s.remove_compression_policy(%L::regclass, if_exists => true)', timescale, 'points');
	EXECUTE format('SELECT %s.add_compression_policy(%L::regclass, interval %L)', timescale, 'points', compress_after);
	EXECUTE format('SELECT %s.remove_retention_policy(%L::regclass, if_exists => true)', timescale, 'points');
	IF longest IS NOT NULL THEN
		EXECUTE format('SELECT %s.add_retention_policy(%L::regclass, interval %L)', timescale, 'points', longest);
	END IF;
END $$;

-- Who may call them could fill the database with tables, or empty it.
REVOKE EXECUTE ON FUNCTION ensure_partition, keep_for, drop_partition, keep_hypertable FROM PUBLIC;
