package providers

import (
	"fmt"
	"sort"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"go.yaml.in/yaml/v4"
)

// maxExpression is the longest expression in bytes.
const maxExpression = 4096

// variables are what an expression may name, in the order in which a mapping
// learns them: the type is read without data, data without the type.
var variables = []string{"body", "headers", "type", "data"}

// expr is a compiled expression. Most expressions are a plain path like
// body.data.id, a condition made of comparisons of paths, or a text put together
// of such; those are evaluated on the index of the body directly. All others run
// in CEL. Both ways give the same answer, and the tests of agreement hold them to it.
type expr struct {
	where   string // for messages: the key of the definition
	source  string
	path    path  // of an expression for a value that is nothing but names; else its root is rootNone
	term    *term // of any other expression for a value that needs no CEL
	cond    *cond // of a condition that needs no CEL
	program cel.Program
}

// compiler compiles the expressions of one definition and collects the headers they read.
type compiler struct {
	r       *reader
	envs    map[string]*cel.Env // by the variables that it knows
	headers map[string]bool
}

func newCompiler(r *reader) *compiler {
	return &compiler{r: r, envs: map[string]*cel.Env{}, headers: map[string]bool{}}
}

// env returns an environment with some of the variables.
func (c *compiler) env(vars []string) (*cel.Env, error) {
	key := strings.Join(vars, ",")
	if e := c.envs[key]; e != nil {
		return e, nil
	}
	opts := []cel.EnvOption{
		ext.Strings(ext.StringsVersion(5)), // the first in which its functions have prices
		cel.RegexProgramSizeLimit(maxRegexp),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(50),
	}
	for _, v := range vars {
		switch v {
		case "type":
			opts = append(opts, cel.Variable(v, cel.StringType))
		case "headers":
			opts = append(opts, cel.Variable(v, cel.MapType(cel.StringType, cel.StringType)))
		default:
			opts = append(opts, cel.Variable(v, cel.DynType))
		}
	}
	e, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("building the expression environment: %w", err)
	}
	c.envs[key] = e
	return e, nil
}

// compile compiles the expression in a scalar; where is its key. A condition
// must be able to give a boolean.
func (c *compiler) compile(n *yaml.Node, where string, vars []string, condition bool) (*expr, error) {
	scalar := resolve(n)
	if scalar.Kind != yaml.ScalarNode || scalar.Tag == "!!null" {
		return nil, c.r.errorf(c.r.spot(n), "%s must be an expression", where)
	}
	source := strings.TrimSpace(scalar.Value)
	if len(source) > maxExpression {
		return nil, c.r.errorf(c.r.spot(scalar), "%s: the expression is longer than %d bytes", where, maxExpression)
	}
	env, err := c.env(vars)
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(source)
	if issues != nil && issues.Err() != nil {
		return nil, c.wrong(scalar, where, source, issues, env, vars)
	}
	if out := ast.OutputType(); condition && !out.IsExactType(cel.BoolType) && !out.IsExactType(cel.DynType) {
		return nil, c.r.errorf(c.r.spot(scalar), "%s: the expression `%s` gives %s, not a boolean", where, source, out)
	}
	if problem := c.check(ast.NativeRep().Expr()); problem != "" {
		return nil, c.r.errorf(c.r.spot(scalar), "%s: the expression `%s`: %s", where, source, problem)
	}
	program, err := env.Program(ast, guarded(env), cel.CostTracking(pricing{}), cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, c.r.errorf(c.r.spot(scalar), "%s: the expression `%s`: %v", where, source, err)
	}
	e := &expr{where: where, source: source, program: program}
	if condition {
		e.cond = condOf(ast.NativeRep().Expr())
	} else if p, ok := pathOf(ast.NativeRep().Expr()); ok && p.index == nil {
		e.path = p
	} else {
		e.term = termOf(ast.NativeRep().Expr())
	}
	return e, nil
}

// check finds what is legal CEL and no good here, and notes the headers read.
func (c *compiler) check(e celast.Expr) (problem string) {
	named := 0 // uses of headers that name one header
	used := 0
	celast.PostOrderVisit(e, celast.NewExprVisitor(func(e celast.Expr) {
		switch e.Kind() {
		case celast.LiteralKind:
			if e.AsLiteral() == types.NullValue {
				problem = "null and absent are the same here, so nothing equals null; write !has(…)"
			}
		case celast.IdentKind:
			if e.AsIdent() == "headers" {
				used++
			}
		case celast.ComprehensionKind:
			celast.PostOrderVisit(e.AsComprehension().IterRange(), celast.NewExprVisitor(func(e celast.Expr) {
				if e.Kind() == celast.MapKind {
					problem = "going through a map that is written out has no fixed order; use a list"
				}
			}))
		case celast.SelectKind, celast.CallKind:
			p, ok := pathOf(e)
			if !ok && e.Kind() == celast.SelectKind && e.AsSelect().IsTestOnly() {
				p, ok = testedPath(e.AsSelect())
			}
			if !ok || p.root != rootHeaders || len(p.names) != 1 {
				return
			}
			named++
			name := p.names[0]
			switch {
			case name != strings.ToLower(name) || !isToken(name):
				problem = fmt.Sprintf("the header %q must be written in lower case", name)
			case secretHeaders[name]:
				problem = fmt.Sprintf("the header %q carries secrets and is not stored", name)
			}
			c.headers[name] = true
		}
	}))
	if problem == "" && used != named {
		problem = `headers can only be read one by one, by name, as in headers["webhook-id"]`
	}
	return problem
}

// secretHeaders are never stored beside a body.
var secretHeaders = map[string]bool{"authorization": true, "proxy-authorization": true, "cookie": true}

// headerNames returns the headers that the expressions read, sorted.
func (c *compiler) headerNames() []string {
	var names []string
	for n := range c.headers {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
