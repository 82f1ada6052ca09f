package config

import (
	"fmt"
	"slices"
	"strings"
)

// Error is one thing wrong with a configuration.
type Error struct {
	// File, Line and Column say where, counted from 1; Line is 0 where no line is to blame,
	// and Column where all of it is.
	File         string
	Line, Column int
	// Key is the path of the key, e.g. "sources.makini.secrets"; "" for the file as a whole.
	Key string
	// Problem is what is wrong and what to write instead. It holds no secret.
	Problem string
	// Excerpt is the line up to where its value begins.
	Excerpt string
}

// Error implements error: file, line, column, key, problem, and the line itself.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		if e.Line > 0 && e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Problem)
	if e.Excerpt != "" {
		fmt.Fprintf(&b, "\n  %4d | %s", e.Line, e.Excerpt)
	}
	return b.String()
}

// excerpt returns a line of the file up to where its first value begins: what
// follows may be a secret, even where the key is mistyped, and an error ends
// up in logs. A line that does not begin with a key that show allows gives "".
func excerpt(lines []string, line int, show func(key string) bool) string {
	if line < 1 || line > len(lines) {
		return ""
	}
	text := strings.TrimRight(lines[line-1], "\r\n \t")
	body := strings.TrimLeft(text, " \t")
	indent := text[:len(text)-len(body)]
	key, value, ok := strings.Cut(body, ":")
	switch {
	case !ok || !show(key):
		return ""
	case value == "":
		return indent + key + ":"
	case value[0] == ' ':
		return indent + key + ": …"
	}
	return "" // "key:value" is one word to YAML
}

// plainKey reports whether s looks like a key of a mapping, not like part of a value.
func plainKey(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.') {
			return false
		}
	}
	return true
}

// suggest names the known key that is nearest to an unknown one: one that
// stands elsewhere in the file, else the nearest of its own group, with the
// others of the group where it is not very near.
func suggest(unknown string, group, all fields) string {
	known := group.names()
	slices.Sort(known)
	best, far := "", 1<<30
	for _, k := range known {
		if d := distance(strings.ToLower(unknown), k); d < far {
			best, far = k, d
		}
	}
	elsewhere := all.find(unknown, "")
	switch {
	case elsewhere != "":
		return fmt.Sprintf("it belongs elsewhere: %q", elsewhere)
	case far <= max(2, len(best)/3):
		return fmt.Sprintf("did you mean %q?", best)
	default:
		return fmt.Sprintf("the nearest known key is %q; known here: %s", best, strings.Join(known, ", "))
	}
}

// distance is the number of insertions, deletions, substitutions and swaps of
// neighbours between a and b (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 128 {
		return len(a) // no key of ours is near
	}
	two, one := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one = one, row
	}
	return one[len(b)]
}
