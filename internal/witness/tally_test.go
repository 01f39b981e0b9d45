package witness_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/internal/witness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCompare(t *testing.T) {
	published, arrived := witness.NewTally(), witness.NewTally()
	for seq := uint64(1); seq <= 100; seq++ {
		published.Add("a", seq)
		published.Add("b", seq)
	}
	published.Add("a", 7) // published twice: still one reading
	for seq := uint64(1); seq <= 100; seq++ {
		if seq != 10 && seq != 100 {
			arrived.Add("a", seq)
		}
	}
	arrived.Add("a", 10)  // late
	arrived.Add("a", 10)  // and again
	arrived.Add("c", 1)   // never published
	arrived.Add("a", 999) // never published
	arrived.AddJSON([]byte(`{"device":"b","seq":3}`))
	arrived.AddJSON([]byte(`{"device":"b"}`))
	arrived.AddJSON([]byte(`nothing`))
	got := witness.Compare(published, arrived)
	got.FirstMissing = nil
	want := witness.Verdict{Expected: 200, Arrived: 100, Missing: 100, Unexpected: 2, Duplicates: 1, Disordered: 1, Unreadable: 2}
	if got.Expected != want.Expected || got.Arrived != want.Arrived || got.Missing != want.Missing || got.Unexpected != want.Unexpected ||
		got.Duplicates != want.Duplicates || got.Disordered != want.Disordered || got.Unreadable != want.Unreadable {
		t.Errorf("verdict %+v, want %+v", got, want)
	}
	if got.Complete() {
		t.Error("complete, though readings are missing")
	}
	whole := witness.NewTally()
	for seq := uint64(1); seq <= 100; seq++ {
		whole.Add("b", seq)
		whole.Add("a", seq)
	}
	if v := witness.Compare(published, whole); !v.Complete() || v.Arrived != 200 {
		t.Errorf("everything arrived: %+v", v)
	}
}
