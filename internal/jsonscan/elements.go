package jsonscan

// Elements calls visit for each element of an array, in order and as it is
// written, until visit returns false. It returns false, and has called nothing,
// when b as a whole is not one JSON array in UTF-8.
func Elements(b []byte, visit func(value []byte) bool) bool {
	s := scanner{b: b}
	i := s.space(0)
	if i == len(b) || b[i] != '[' || !Check(b).Valid {
		return false
	}
	// From here on nothing can fail.
	for i = s.space(i + 1); b[i] != ']'; {
		end := s.value(i, 2)
		if !visit(b[i:end]) {
			return true
		}
		if i = s.space(end); b[i] == ',' {
			i = s.space(i + 1)
		}
	}
	return true
}
