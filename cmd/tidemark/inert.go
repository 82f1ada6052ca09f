package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// inert makes text from outside harmless for a terminal: what could move the
// cursor, change colours, end a line or turn the direction of writing is shown
// as \x1b or \u202e instead. Text of several lines becomes one that says where they ended, for people; the blanks around
// a line's end are of no use there. Text without such characters comes back as it is.
func inert(s string) string {
	if strings.Contains(s, "\n") {
		lines := strings.Split(s, "\n")
		for i := range lines {
			lines[i] = strings.Trim(lines[i], " \t\r")
		}
		s = strings.TrimSpace(strings.Join(lines, " "+lineEnd+" "))
	}
	return escape(s, "")
}

// lineEnd stands for the end of a line.
const lineEnd = "⏎"

// inertLines is inert, except that lines may end.
func inertLines(s string) string { return escape(s, "\n") }

func escape(s, keep string) string {
	i := strings.IndexFunc(s, func(r rune) bool { return !harmless(r, keep) })
	if i < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case harmless(r, keep):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += n
	}
	return b.String()
}

// harmless reports whether a terminal shows r and does nothing else. Cf holds
// the marks that turn the direction of writing, and those that are invisible.
func harmless(r rune, keep string) bool {
	if strings.ContainsRune(keep, r) {
		return true
	}
	return r != utf8.RuneError && r != '\u2028' && r != '\u2029' && !unicode.Is(unicode.Cc, r) && !unicode.Is(unicode.Cf, r)
}

// inertJSON escapes the same characters in a JSON text, which stays the same
// value: outside of strings JSON has none of them but spaces and line ends.
func inertJSON(b []byte) []byte {
	s := string(b)
	if strings.IndexFunc(s, func(r rune) bool { return !harmless(r, "\n\r\t") }) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for _, r := range s {
		switch {
		case harmless(r, "\n\r\t"):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// csvCell keeps a spreadsheet from taking a cell for a formula.
func csvCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
