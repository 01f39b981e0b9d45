package postgres

import (
	"context"
	"embed"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// migrations make a version out of the one before, in the order of their names.
// What has been released is never edited.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migration returns the statements that make a version, the first of which is 1.
func migration(version int) (string, error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return "", err
	}
	text, err := migrations.ReadFile("migrations/" + files[version-1].Name())
	return string(text), err
}

// schemaVersion is what this program knows.
const schemaVersion = 1

// applicationID is the first half of the keys of advisory locks: "pgts".
const applicationID = 0x70677473

// step returns the statements that bring a schema from one version to the next,
// for a transaction of their own.
func step(schema string, version int) (string, error) {
	text, err := migration(version)
	if err != nil {
		return "", fmt.Errorf("read the statements for version %d: %w", version, err)
	}
	return fmt.Sprintf("SET LOCAL search_path TO %s;\n\n%s\n", searchPath(schema), text), nil
}

// SQL returns the statements that make a schema, for psql, where the feed itself
// has no right to do it (migrate: false). It fails when the schema is no name.
func SQL(schema string) (string, error) {
	if !schemaName.MatchString(schema) {
		return "", fmt.Errorf("%q is no name for a schema: use a to z, digits and _, at most 63", schema)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "BEGIN;\nCREATE SCHEMA IF NOT EXISTS %s;\n", pgx.Identifier{schema}.Sanitize())
	for version := 1; version <= schemaVersion; version++ {
		text, err := step(schema, version)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	b.WriteString("COMMIT;\n")
	return b.String(), nil
}

// checkSchema fails unless the tables are there and of this version.
func (s *session) checkSchema(ctx context.Context, schema string) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	version, err := s.schemaVersion(ctx, s.conn)
	if err == nil && version != schemaVersion {
		err = fmt.Errorf("the schema %s has version %d, and this program needs %d: let the owner of the database run the statements of docs/postgres.md, or a feed with migrate: true", schema, version, schemaVersion)
	}
	return err
}

// prepareSchema makes sure that the tables are there and of this version.
func (s *session) prepareSchema(ctx context.Context, c *Config) error {
	if !c.Migrate {
		return s.checkSchema(ctx, c.Schema)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	version, err := s.schemaVersion(ctx, s.conn)
	if err != nil || version == schemaVersion {
		return err
	}
	tx, err := s.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx) //nolint:errcheck // after Commit it does nothing; before it the first error counts
	// Of several feeds that start at the same time one makes the tables.
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, $2)`, applicationID, lockKey(c.Schema)); err != nil {
		return err
	}
	if !s.server.schemaIsThere { // to ask for it anyway takes a right that its owner need not have
		if _, err := tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{c.Schema}.Sanitize()); err != nil {
			return fmt.Errorf("create the schema %s: %w", c.Schema, err)
		}
	}
	if err := s.examine(ctx, c.Schema); err != nil {
		return err
	}
	if version, err = s.schemaVersion(ctx, tx); err != nil {
		return err
	}
	for version < schemaVersion {
		version++
		text, err := step(c.Schema, version)
		if err != nil {
			return err
		}
		if _, err := tx.Conn().PgConn().Exec(ctx, text).ReadAll(); err != nil {
			return fmt.Errorf("create the tables of the schema %s: %w", c.Schema, err)
		}
	}
	if err := s.examine(ctx, c.Schema); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// schemaVersion returns the version of the schema; 0 is none.
func (s *session) schemaVersion(ctx context.Context, db querier) (version int, err error) {
	switch {
	case !s.server.hasVersions && s.server.hasPoints:
		return 0, fmt.Errorf("the schema has a table points of another application: choose another schema")
	case !s.server.hasVersions:
		return 0, nil
	}
	if err := db.QueryRow(ctx, `SELECT max(version) FROM schema_versions`).Scan(&version); err != nil {
		return 0, err
	}
	if version > schemaVersion {
		return 0, fmt.Errorf("the schema has version %d, and this program knows %d: use the program that made it", version, schemaVersion)
	}
	return version, nil
}

// lockKey makes the second half of the key of an advisory lock of a name.
func lockKey(name string) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return int32(h.Sum32())
}
