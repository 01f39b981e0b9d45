package jsonscan

// Members calls visit for each member of an object, in order: with its name, in
// quotes, and its value, both as they are written. Of members with the same
// name each counts. It returns false, and has called nothing, when b as a whole
// is not one JSON object in UTF-8.
func Members(b []byte, visit func(name, value []byte)) bool {
	s := scanner{b: b}
	i := s.space(0)
	if i == len(b) || b[i] != '{' || !Check(b).Valid {
		return false
	}
	// From here on nothing can fail.
	for i = s.space(i + 1); b[i] != '}'; {
		end := s.string(i + 1)
		name := b[i:end]
		i = s.space(s.space(end) + 1) // past the colon
		end = s.value(i, 2)
		visit(name, b[i:end])
		if i = s.space(end); b[i] == ',' {
			i = s.space(i + 1)
		}
	}
	return true
}

// AppendString appends the characters of a valid string, given in quotes. Half a
// surrogate pair becomes U+FFFD.
func AppendString(dst, quoted []byte) []byte {
	return appendUnescaped(dst, quoted[1:len(quoted)-1])
}
