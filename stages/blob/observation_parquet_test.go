package blob

import (
	"testing"

	"github.com/parquet-go/parquet-go"
)

func foreignParquet(t testing.TB) []byte {
	t.Helper()
	type foreign struct {
		Device string `parquet:"device"`
	}
	var b outBuffer
	w := parquet.NewGenericWriter[foreign](&b)
	if _, err := w.Write([]foreign{{"press7"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.b
}
