package quarantine

// keptFailures is how many errors [Failures] keeps: as many as people read.
const keptFailures = 10

// Failures are the errors of single items, of which there may be millions. The
// zero value has none.
type Failures struct {
	First []error // the first few
	Count int64   // of all
}

// Add counts an error, and keeps it when it is among the first.
func (f *Failures) Add(err error) {
	f.Count++
	if len(f.First) < keptFailures {
		f.First = append(f.First, err)
	}
}
