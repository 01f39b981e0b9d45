package validate

// Verdict is what was found of a reading, or the worst of a window.
type Verdict string

// The verdicts.
const (
	// Matched: both sides have it, and say the same by the rules.
	Matched Verdict = "matched"
	// OutOfOrder: matched, but handed out behind a later reading of the same
	// window.
	OutOfOrder Verdict = "outOfOrder"
	// Late: matched, but it arrived later than the rules permit.
	Late Verdict = "late"
	// Duplicate: a copy beyond those that are expected.
	Duplicate Verdict = "duplicate"
	// Undecided: nothing can be said yet, or not at all.
	Undecided Verdict = "undecided"
	// Extra: it was observed, and not expected.
	Extra Verdict = "extra"
	// Altered: both sides have it, and say different things.
	Altered Verdict = "altered"
	// Missing: it was expected, and not observed.
	Missing Verdict = "missing"
)

// Verdicts are all verdicts, from good to bad.
var Verdicts = [...]Verdict{Matched, OutOfOrder, Late, Duplicate, Undecided, Extra, Altered, Missing}

// Outcome is what a validation says in the end.
type Outcome string

// The outcomes.
const (
	// Proven: all that was expected was read at the other side, as it should be.
	Proven Outcome = "proven"
	// Discrepant: something is certainly wrong.
	Discrepant Outcome = "discrepant"
	// Open: nothing is known to be wrong, and it is not proven that nothing is.
	Open Outcome = "open"
)

// Counts counts readings. Of what was expected
//
//	Expected = Matched + Altered + Missing + Undecided + Repeated
//
// and of what was observed, when no window is undecided,
//
//	Observed = Matched + Altered + Extra + Duplicate
//
// OutOfOrder and Late are among the matched and altered ones. A reading whose time
// is altered is counted where it was expected.
type Counts struct {
	Expected   int64 `json:"expected"`
	Observed   int64 `json:"observed"`
	Matched    int64 `json:"matched"`
	Altered    int64 `json:"altered"`
	Missing    int64 `json:"missing"`
	Extra      int64 `json:"extra"`
	Duplicate  int64 `json:"duplicate"` // observed copies beyond those expected
	Repeated   int64 `json:"repeated"`  // expected copies beyond those observed, of the same time and seq to the bit
	Undecided  int64 `json:"undecided"` // expected readings of which nothing can be said
	OutOfOrder int64 `json:"outOfOrder"`
	Late       int64 `json:"late"`
}
