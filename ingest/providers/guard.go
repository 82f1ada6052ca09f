package providers

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// CEL counts what a call costs when the call is over. That is too late for the
// few that can take hours or all memory by themselves, as replacing each of a
// million letters by a million others: those are refused before they are made.

// guarded makes an expression refuse calls that would cost more than an expression may.
func guarded(env *cel.Env) cel.ProgramOption {
	return cel.CustomDecoratorV2(func(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
		call, ok := i.(interpreter.InterpretableCall)
		if !ok {
			return i, nil
		}
		args := call.Args()
		var made functions.FunctionOp
		switch call.Function() {
		case operators.Equals:
			made = func(v ...ref.Val) ref.Val { return types.Equal(v[0], v[1]) }
		case operators.NotEquals:
			made = func(v ...ref.Val) ref.Val { return types.Bool(types.Equal(v[0], v[1]) != types.True) }
		case operators.In, operators.OldIn:
			made = contains
		case "matches":
			// A constant expression is compiled later on, in place of this call, and with its arguments.
			args = append([]interpreter.InterpretableV2{affordableText{args[0]}}, args[1:]...)
			fallthrough
		case "join", "indexOf", "lastIndexOf", "split", "replace":
			var err error
			if made, err = binding(env, call); err != nil {
				return nil, err
			}
		default:
			return i, nil
		}
		function := call.Function()
		return interpreter.NewCall(call.ID(), function, call.OverloadID(), args, func(v ...ref.Val) ref.Val {
			if priceOf(function, v) > costLimit {
				return tooDear(function)
			}
			return made(v...)
		}), nil
	})
}

func tooDear(function string) ref.Val {
	return types.WrapErr(fmt.Errorf("%w of %s", errCallCost, function))
}

func contains(v ...ref.Val) ref.Val {
	if all, ok := v[1].(traits.Container); ok {
		return all.Contains(v[0])
	}
	return types.MaybeNoSuchOverloadErr(v[1])
}

// binding returns what a call calls.
func binding(env *cel.Env, call interpreter.InterpretableCall) (functions.FunctionOp, error) {
	all, err := env.Functions()[call.Function()].Bindings()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{call.OverloadID(), call.Function()} {
		for _, b := range all {
			if b.Operator != name {
				continue
			}
			return func(v ...ref.Val) ref.Val {
				switch {
				case len(v) == 1 && b.Unary != nil:
					return b.Unary(v[0])
				case len(v) == 2 && b.Binary != nil:
					return b.Binary(v[0], v[1])
				case b.Function != nil:
					return b.Function(v...)
				}
				return types.MaybeNoSuchOverloadErr(v[0])
			}, nil
		}
	}
	return nil, fmt.Errorf("the function %s is not there", call.Function())
}

// affordableText is an argument that must not be too long to be searched by a regular expression.
type affordableText struct{ interpreter.InterpretableV2 }

// Exec implements CEL's InterpretableV2.
func (a affordableText) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := a.InterpretableV2.Exec(frame)
	if 2*textSize(v) > costLimit {
		return tooDear("matches")
	}
	return v
}

// Eval implements CEL's Interpretable.
func (a affordableText) Eval(vars cel.Activation) ref.Val {
	return interpreter.EvalActivation(vars, a.Exec)
}
