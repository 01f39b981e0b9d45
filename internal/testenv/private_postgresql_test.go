package testenv_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// query runs one statement on a connection of its own.
func query(t *testing.T, url, sql string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return err
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), sql)
	return err
}

// TestPrivatePostgreSQL kills a server and fills its disk: what was committed stays.
func TestPrivatePostgreSQL(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := testenv.PrivatePostgreSQL(t, "synchronous_commit=on")
	disk := server.TinyDisk(24 << 20)
	must := func(sql string) {
		t.Helper()
		if err := query(t, server.URL(), sql); err != nil {
			t.Fatal(err)
		}
	}
	must("CREATE TABLE kept AS SELECT 7 AS seven")
	server.Kill()
	if err := query(t, server.URL(), "SELECT 1"); err == nil {
		t.Error("a killed server answers")
	}
	server.Start()
	must("SELECT 1/(CASE WHEN sum(seven) = 7 THEN 1 ELSE 0 END) FROM kept")
	disk.Fill(64 << 10)
	const large = "INSERT INTO kept SELECT generate_series(1, 100000)"
	if err := query(t, server.URL(), large); err == nil {
		t.Error("a full disk takes 100,000 rows")
	}
	disk.Free()
	must(large)
	server.Stop()
	server.Start()
	must("SELECT 1/(CASE WHEN count(*) = 100001 THEN 1 ELSE 0 END) FROM kept")
}
