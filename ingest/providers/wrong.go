package providers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"go.yaml.in/yaml/v4"
)

// This file says what is wrong with an expression: where in the file, and which
// known name is near.

// wrong is the error about an expression that does not compile.
func (c *compiler) wrong(scalar *yaml.Node, where, source string, issues *cel.Issues, env *cel.Env, vars []string) error {
	all := issues.Errors()
	if len(all) == 0 {
		return c.r.errorf(c.r.spot(scalar), "%s: the expression `%s` is wrong: %w", where, source, issues.Err())
	}
	first := all[0]
	at := c.r.spotWithin(scalar, source, first.Location.Line(), first.Location.Column())
	return c.r.errorf(at, "%s: the expression `%s` is wrong: %s (at column %d of the expression)",
		where, source, explained(first, source, env, vars), first.Location.Column()+1)
}

// spotWithin is the place in the file of a place in an expression, or that of the
// expression where the text differs from what it stands for (folded lines, escapes).
// line counts from 1 and column, in characters, from 0.
func (r *reader) spotWithin(scalar *yaml.Node, source string, line, column int) spot {
	at := r.spot(scalar)
	lines := strings.Split(source, "\n")
	if line < 1 || line > len(lines) || scalar.Style&yaml.FoldedStyle != 0 {
		return at
	}
	n, from := at.line+line-1, 0
	if scalar.Style&yaml.LiteralStyle != 0 {
		// The text begins below the indicator, perhaps after empty lines.
		blank := scalar.Value[:len(scalar.Value)-len(strings.TrimLeft(scalar.Value, " \t\r\n"))]
		n += 1 + strings.Count(blank, "\n")
	} else if line == 1 {
		from = max(0, at.column-1)
	}
	text := []rune(at.layer.line(n))
	if from > len(text) {
		return at
	}
	there := string(text[from:])
	before, _, found := strings.Cut(there, lines[line-1])
	if !found { // an escape: what follows it may still stand there as it is
		rest := []rune(lines[line-1])
		rest, column = rest[min(column, len(rest)):], 0
		if before, _, found = strings.Cut(there, string(rest)); !found || strings.Count(there, string(rest)) != 1 {
			return at
		}
	}
	return spot{at.layer, n, from + utf8.RuneCountInString(before) + column + 1}
}

// explained is CEL's message, with what is known where a name is not.
func explained(problem *common.Error, source string, env *cel.Env, vars []string) string {
	_, rest, ok := strings.Cut(problem.Message, "undeclared reference to '")
	if !ok {
		return problem.Message
	}
	name, _, ok := strings.Cut(rest, "'")
	if !ok {
		return problem.Message
	}
	message := fmt.Sprintf("undeclared reference to '%s'", name)
	if strings.Contains(source, name+"(") {
		if near := nearestOf(name, functionNames(env)); near != "" {
			return fmt.Sprintf("%s; did you mean %q?", message, near)
		}
		return message + ": there is no such function"
	}
	if slices.Contains(variables, name) {
		return fmt.Sprintf("%s, which is not known yet here; known here: %s", message, strings.Join(vars, ", "))
	}
	if near := nearestOf(name, vars); near != "" {
		return fmt.Sprintf("%s; did you mean %q?", message, near)
	}
	return fmt.Sprintf("%s; known here: %s", message, strings.Join(vars, ", "))
}

// functionNames are the names of all functions and macros that have one.
func functionNames(env *cel.Env) []string {
	names := map[string]bool{}
	for name := range env.Functions() {
		names[name] = true
	}
	for _, m := range env.Macros() {
		names[m.Function()] = true
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool { return !isIdentifier(name) })
	return slices.Sorted(maps.Keys(names))
}

// isIdentifier reports whether a function is called by its name, and not by an operator.
func isIdentifier(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z') {
			return false
		}
	}
	return s != ""
}

// nearestOf is nearest for names in expressions, where only a slip of the fingers is near.
func nearestOf(name string, candidates []string) string {
	near := nearest(name, candidates)
	if near == "" || editDistance(name, near) > max(2, len(name)/4) || editDistance(name, near) >= len(name) {
		return ""
	}
	return near
}
