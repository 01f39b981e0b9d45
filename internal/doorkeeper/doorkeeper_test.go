package doorkeeper_test

import (
	"math/rand/v2"
	"testing"

	"github.com/kraft-edge/datafeed/internal/doorkeeper"
)

// TestAdmitsWhatComesAgain has as many different things come in turns as the
// doorkeeper has room for: from the second turn on it knows all.
func TestAdmitsWhatComesAgain(t *testing.T) {
	for _, most := range []int{1, 2, 7, 8, 9, 1000, 4096} {
		d, random := doorkeeper.New(most), rand.New(rand.NewPCG(1, uint64(most)))
		things := make([]uint64, most)
		for i := range things {
			things[i] = random.Uint64()
		}
		early := 0
		for _, h := range things {
			if d.Admit(h) {
				early++
			}
		}
		if early > 1+most/8 {
			t.Errorf("%d of %d are admitted at once", early, most)
		}
		for range 3 {
			for _, h := range things {
				if !d.Admit(h) {
					t.Fatalf("one of %d is not admitted again", most)
				}
			}
		}
	}
}

// TestKeepsOutWhatComesOnce has far more things come in turns.
func TestKeepsOutWhatComesOnce(t *testing.T) {
	const most = 1000
	d := doorkeeper.New(most)
	admitted := 0
	for range 3 {
		random := rand.New(rand.NewPCG(2, 3))
		for range 20 * most {
			if d.Admit(random.Uint64()) {
				admitted++
			}
		}
	}
	if admitted > 3*20*most/8 {
		t.Errorf("%d of %d are admitted", admitted, 3*20*most)
	}
}
