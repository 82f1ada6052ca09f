package providers

import (
	"errors"
	"math"
	"strings"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// This file bounds what a definition can cost. Costs are counted and not timed,
// so that a rebuild stops where the first reading stopped.

const (
	// costLimit bounds one evaluation of one expression: some milliseconds of work.
	costLimit = 100_000
	// eventCostLimit bounds the reading of one event, all expressions together.
	eventCostLimit = 400_000
	// workPerCost is how many names that are compared on the index of a body, or
	// how many bytes of text that are decoded or searched there, cost 1.
	workPerCost = 64
	// maxRegexp bounds a regular expression, in instructions of its program.
	maxRegexp = 500
)

// errEventCost says that an event was stopped, at whatever expression it was by then.
var errEventCost = errors.New("the cost limit of reading one event is exceeded, all expressions together")

// spend adds to what the event at hand has cost.
func (m *Mapper) spend(cost uint64) { m.cost += cost }

// spent reports whether the event at hand has cost too much.
func (m *Mapper) spent() bool { return m.cost+m.doc.work/workPerCost > eventCostLimit }

// errCallCost says that one call was refused because it would have cost too much.
var errCallCost = errors.New("cost limit exceeded by one call")

// tooCostly reports whether an error says that a cost limit was exceeded.
func tooCostly(err error) bool {
	var cancelled interpreter.EvalCancelledError
	return errors.Is(err, errEventCost) || errors.Is(err, errCallCost) ||
		errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded
}

// pricing is what calls cost for which CEL has no price, or one that leaves out
// what is within lists and objects, or one that it only knows where the types of
// the arguments are declared, which those of a body are not. It implements CEL's
// ActualCostEstimator.
type pricing struct{}

// CallCost implements CEL's ActualCostEstimator; nil leaves the price to CEL.
func (pricing) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	price := priceOf(function, args)
	if price == 0 {
		// What is left reads its texts once, or makes a text of them.
		for _, a := range args {
			price += textSize(a) / 10
		}
	}
	if price == 0 {
		return nil
	}
	return &price
}

// priceOf is what a call costs, from its arguments alone, so that it is known
// before the call is made; 0 where CEL's own price will do.
func priceOf(function string, args []ref.Val) uint64 {
	switch {
	case len(args) < 2:
		if function == "join" && len(args) == 1 {
			return listPrice(args[0], 0)
		}
	case function == operators.Equals || function == operators.NotEquals:
		if isAggregate(args[0]) && isAggregate(args[1]) {
			return weight(args[0], costLimit+1) + weight(args[1], costLimit+1)
		}
	case function == operators.In || function == operators.OldIn:
		if _, ok := args[1].(traits.Lister); ok {
			return weight(args[1], costLimit+1)
		}
	case function == "join":
		return listPrice(args[0], textSize(args[1]))
	case function == "matches":
		return 2*textSize(args[0]) + textSize(args[1])
	case function == "indexOf" || function == "lastIndexOf":
		return 1 + product(textSize(args[0]), textSize(args[1]))/10
	case function == "split":
		return 1 + textSize(args[0])/10 + occurrences(args[0], args[1])
	case function == "replace" && len(args) >= 3:
		return 1 + textSize(args[0])/10 + product(occurrences(args[0], args[1]), textSize(args[2])+1)
	}
	return 0
}

// occurrences is how often a text stands in another.
func occurrences(in, what ref.Val) uint64 {
	text, ok := in.(types.String)
	part, ok2 := what.(types.String)
	if !ok || !ok2 {
		return 0
	}
	return uint64(strings.Count(string(text), string(part)))
}

func textSize(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v))
	case types.Bytes:
		return uint64(len(v))
	}
	return 0
}

// listPrice is what it costs to make one text of a list.
func listPrice(v ref.Val, separator uint64) uint64 {
	list, ok := v.(traits.Lister)
	if !ok {
		return 0
	}
	n, _ := list.Size().(types.Int)
	between := product(uint64(n), separator+1)
	if between > costLimit {
		return between
	}
	return between + weight(v, costLimit+1)
}

// product multiplies, at most to the largest number.
func product(a, b uint64) uint64 {
	if b != 0 && a > math.MaxUint32 || b > math.MaxUint32 {
		return math.MaxUint32
	}
	return a * b
}

func isAggregate(v ref.Val) bool {
	switch v.(type) {
	case traits.Lister, traits.Mapper:
		return true
	}
	return false
}

// weight counts the values within a value, and its texts by the 10 bytes. It stops counting at the limit.
func weight(v ref.Val, limit uint64) uint64 {
	n := uint64(1)
	switch v := v.(type) {
	case types.String:
		n += uint64(len(v) / 10)
	case traits.Lister:
		for it := v.Iterator(); n < limit && it.HasNext() == types.True; {
			n += weight(it.Next(), limit-n)
		}
	case traits.Mapper:
		for it := v.Iterator(); n < limit && it.HasNext() == types.True; {
			key := it.Next()
			n += weight(key, limit-n)
			if value, ok := v.Find(key); ok && n < limit {
				n += weight(value, limit-n)
			}
		}
	}
	return min(n, limit)
}
