package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATEs, see PostgreSQL's appendix "Error Codes".
const (
	stateCheckViolation = "23514"
	stateDuplicate      = "23505"
	stateReadOnly       = "25006"
	stateDiskFull       = "53100"
	stateRaised         = "P0001"

	classData       = "22"
	classConstraint = "23"
	classLogin      = "28"
	classLimit      = "54"
)

// remedies tell people what to do about a SQLSTATE.
var remedies = map[string]string{
	"28000":       "check user, password and pg_hba.conf",
	"28P01":       "check user and password",
	"3D000":       "create the database, or correct the url",
	"42501":       "grant what docs/postgres.md lists, or let the owner create the tables and write migrate: false",
	"42P01":       "the tables have changed since the start: the next try creates them, with migrate: true",
	"42703":       "the tables have changed since the start: restore them",
	"53300":       "raise max_connections, or end other clients",
	stateDiskFull: "make room on the server's disk",
	stateReadOnly: "the server is a standby: name the primary, or several hosts and target_session_attrs=primary, in the url",
	stateRaised:   "a trigger of the database refuses it",
}

// explained adds the remedy to an error of the server. It is for whoever returns an
// error to a caller outside of the package.
func explained(err error) error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		if remedy := remedies[pg.Code]; remedy != "" {
			return fmt.Errorf("%w: %s", err, remedy)
		}
	}
	return err
}

// refusesRow reports whether the server refuses a row for what is in it, so that
// no retry can help and the others may pass.
func refusesRow(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || noPartition(err) {
		return false
	}
	return pg.Code == stateRaised || strings.HasPrefix(pg.Code, classData) || strings.HasPrefix(pg.Code, classConstraint) || strings.HasPrefix(pg.Code, classLimit)
}

// duplicate reports whether a row is there already.
func duplicate(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == stateDuplicate
}

// noPartition reports whether there was no partition for a row. It is the check
// violation that names no constraint.
func noPartition(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == stateCheckViolation && pg.ConstraintName == ""
}

// outdated reports whether what is known about the tables may be wrong.
func outdated(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (strings.HasPrefix(pg.Code, "42") || noPartition(err))
}

// elsewhere reports whether another server may have become the right one.
func elsewhere(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == stateReadOnly || strings.HasPrefix(pg.Code, "57P"))
}

func diskFull(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == stateDiskFull
}

// because returns the reason for which a context has ended in the place of
// "context canceled".
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
