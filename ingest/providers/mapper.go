package providers

import "unicode/utf8"

// Mapper reads observations out of events by one definition. It keeps buffers
// between calls and is not safe for concurrent use: one per goroutine.
type Mapper struct{ def *Definition }

// Map reads the observation out of a body. header returns the value of a kept
// header by its lower-case name as in KeepHeaders, "" where there is none. The
// observation's strings are its own: they stay valid when body changes. An
// error is always an *Unplaceable.
func (m *Mapper) Map(body []byte, header func(name string) string) (Observation, error) {
	return Observation{}, unplaceable(CodeExpression, errNotYet.Error())
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
