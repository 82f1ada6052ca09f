package providers

import (
	"math"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// This file is the way into CEL and back, for the expressions that are not
// evaluated on the index of the body.

// ResolveName implements CEL's activation: the variables of the event at hand.
func (m *activation) ResolveName(name string) (any, bool) {
	switch name {
	case "body":
		return m.celValue(0), true
	case "data":
		if m.data == noNode { // absent: nothing can be selected from it
			return types.NewStringInterfaceMap(types.DefaultTypeAdapter, nil), true
		}
		return m.celValue(m.data), true
	case "type":
		return types.String(m.typ), true
	case "headers":
		present := map[string]string{}
		for _, h := range m.def.mapping.headers {
			if v := m.header(h); v != "" {
				present[h] = strings.ToValidUTF8(v, "\uFFFD")
			}
		}
		return types.NewStringStringMap(types.DefaultTypeAdapter, present), true
	}
	return nil, false
}

// activation is the Mapper as CEL sees it.
type activation Mapper

// Parent implements CEL's activation.
func (m *activation) Parent() interpreter.Activation { return nil }

// use is what CEL's answer is for.
type use uint8

const (
	forCondition use = iota
	forValue
)

// celNumber converts a JSON number: to int or uint where it is an integer of 64
// bits, else to double. Where a value is computed, a longer integer is an error
// to whoever touches it: a double would change its digits, and with them an id.
func celNumber(text string, u use) ref.Val {
	if !strings.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return types.Int(n)
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return types.Uint(n)
		}
		if u == forValue {
			return types.NewErr("an integer of more than 64 bits keeps its digits only where an expression is nothing but the path to it")
		}
	}
	f, _ := strconv.ParseFloat(text, 64) // beyond its range it is an infinity
	return types.Double(f)
}

// fromCEL converts what an expression gave. ok is false where it is a number that may have lost digits.
func fromCEL(v ref.Val) (out value, ok bool) {
	switch v := v.(type) {
	case types.String:
		return value{kind: kindString, text: []byte(v)}, true
	case types.Int:
		return value{kind: kindNumber, text: strconv.AppendInt(nil, int64(v), 10)}, true
	case types.Uint:
		return value{kind: kindNumber, text: strconv.AppendUint(nil, uint64(v), 10)}, true
	case types.Double:
		if math.Abs(float64(v)) < 1<<53 {
			return value{kind: kindNumber, text: strconv.AppendFloat(nil, float64(v), 'f', -1, 64)}, true
		}
		return value{}, false
	case types.Bool:
		return value{kind: kindBool, text: strconv.AppendBool(nil, bool(v))}, true
	case types.Timestamp:
		return value{kind: kindTime, at: v.UTC()}, true
	case types.Null:
		return value{kind: kindAbsent}, true
	default:
		return value{kind: kindObject}, true
	}
}

// missing reports whether a CEL error says that a field is absent, or of a type
// that has no such operation. CEL gives these errors no type of their own.
func missing(err error) (absent, mismatch bool) {
	text := err.Error()
	for _, s := range []string{"no such key", "no such attribute", "index out of bounds", "unsupported index type"} {
		if strings.HasPrefix(text, s) {
			return true, false
		}
	}
	return false, strings.HasPrefix(text, "no such overload")
}
