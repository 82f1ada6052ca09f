package providers

import "unicode/utf8"

// sources lists expressions for a message.
func sources(list []*expr) string {
	s := ""
	for i, e := range list {
		if i > 0 {
			s += ", "
		}
		s += e.source
	}
	return s
}

// cut shortens s to at most n bytes at a rune boundary.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// cutBytes is cut for bytes.
func cutBytes(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return b[:n]
}
