package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// checkQuery refuses a query that the operation's description does not allow.
// Nothing is ignored: a filter with a typing error in its name would otherwise
// give an answer that looks right and is not.
func checkQuery(op *huma.Operation, rawQuery string) *Problem {
	if rawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return &Problem{Status: http.StatusBadRequest, Code: CodeBadRequest, Detail: "The query string cannot be read: percent-encode what is not a letter or a digit."}
	}
	var unknown, invalid []ParameterError
	for _, name := range sortedKeys(query) {
		param := queryParam(op, name)
		if param == nil {
			unknown = append(unknown, ParameterError{name, unknownWords(op, name)})
			continue
		}
		if what := checkValues(param.Schema, query[name]); what != "" {
			invalid = append(invalid, ParameterError{name, what})
		}
	}
	switch {
	case unknown != nil:
		return &Problem{Status: http.StatusBadRequest, Code: CodeUnknownParameter, Detail: words(unknown), Errors: unknown}
	case invalid != nil:
		return invalidParameters(invalid...)
	}
	return nil
}

func invalidParameters(errs ...ParameterError) *Problem {
	return &Problem{Status: http.StatusBadRequest, Code: CodeInvalidParameter, Detail: words(errs), Errors: errs}
}

func words(errs []ParameterError) string {
	all := make([]string, len(errs))
	for i, e := range errs {
		all[i] = fmt.Sprintf("Parameter %q: %s.", e.Parameter, e.Detail)
	}
	return strings.Join(all, " ")
}

func queryParam(op *huma.Operation, name string) *huma.Param {
	for _, p := range op.Parameters {
		if p.In == "query" && p.Name == name {
			return p
		}
	}
	return nil
}

func unknownWords(op *huma.Operation, name string) string {
	var known []string
	for _, p := range op.Parameters {
		if p.In == "query" {
			known = append(known, p.Name)
		}
	}
	if len(known) == 0 {
		return "not known here: this path takes no query parameter"
	}
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("not known here. Did you mean %q?", near)
	}
	return "not known here. Known are " + strings.Join(known, ", ")
}

// checkValues says what is wrong with a parameter's values, "" if nothing is.
func checkValues(s *huma.Schema, values []string) string {
	if s.Type != huma.TypeArray {
		if len(values) > 1 {
			return "given more than once"
		}
		return checkValue(s, values[0])
	}
	for _, v := range values {
		if v == "" {
			return "must not be empty"
		}
		if what := checkValue(s.Items, v); what != "" {
			return what
		}
	}
	return ""
}

func checkValue(s *huma.Schema, v string) string {
	switch {
	case s.Type == huma.TypeInteger:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || s.Minimum != nil && float64(n) < *s.Minimum || s.Maximum != nil && float64(n) > *s.Maximum {
			return fmt.Sprintf("must be a whole number from %.0f to %.0f", *s.Minimum, *s.Maximum)
		}
	case s.Type == huma.TypeBoolean:
		if v != "true" && v != "false" {
			return "must be true or false"
		}
	case s.Format == "date-time":
		if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
			return "must be a time such as 2026-01-02T15:04:05Z (in a URL, write + as %2B)"
		}
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, any(v)):
		all := make([]string, len(s.Enum))
		for i, e := range s.Enum {
			all[i] = fmt.Sprint(e)
		}
		if near := nearest(v, all); near != "" {
			return fmt.Sprintf("must be one of %s. Did you mean %q?", strings.Join(all, ", "), near)
		}
		return "must be one of " + strings.Join(all, ", ")
	}
	return ""
}

func sortedKeys(q url.Values) []string {
	keys := make([]string, 0, len(q))
	for k := range q {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
