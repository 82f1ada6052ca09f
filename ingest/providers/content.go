package providers

import (
	"errors"
	"fmt"
	"strings"
)

// segmentKind is what a part of the signed content is.
type segmentKind uint8

const (
	segLiteral segmentKind = iota
	segID
	segTimestamp
	segBody
)

// segment is a part of the template of the signed content.
type segment struct {
	kind segmentKind
	text string // of a literal
}

// parseContent reads a template over {id}, {timestamp} and {body}. What it
// accepts has one reading only: two requests that differ in id, time or body
// never sign the same bytes, provided that idFits and that a timestamp is digits.
func parseContent(template string) ([]segment, error) {
	var out []segment
	seen := map[segmentKind]bool{}
	for rest := template; rest != ""; {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			out = append(out, segment{segLiteral, rest})
			break
		}
		if open > 0 {
			out = append(out, segment{segLiteral, rest[:open]})
		}
		shut := strings.IndexByte(rest[open:], '}')
		if shut < 0 {
			return nil, errors.New("a '{' without its '}'")
		}
		placeholder := rest[open : open+shut+1]
		rest = rest[open+shut+1:]
		kinds := map[string]segmentKind{"{id}": segID, "{timestamp}": segTimestamp, "{body}": segBody}
		kind, ok := kinds[placeholder]
		if !ok {
			return nil, fmt.Errorf("%s is none of {id}, {timestamp}, {body}", placeholder)
		}
		if seen[kind] {
			return nil, fmt.Errorf("%s stands there twice", placeholder)
		}
		if len(out) > 0 && out[len(out)-1].kind != segLiteral {
			return nil, fmt.Errorf("%s follows another placeholder with nothing between: the same bytes could be split in two ways", placeholder)
		}
		seen[kind] = true
		out = append(out, segment{kind: kind})
	}
	if !seen[segBody] {
		return nil, errors.New("{body} is missing: a signature that leaves the body out proves nothing")
	}
	for i, s := range out {
		if s.kind != segTimestamp {
			continue
		}
		if i > 0 && isDigit(out[i-1].text[len(out[i-1].text)-1]) || i+1 < len(out) && isDigit(out[i+1].text[0]) {
			return nil, errors.New("a digit beside {timestamp}: the same bytes could be split in two ways")
		}
	}
	return out, nil
}

// idFits reports whether the id can be told apart from its neighbours in the
// signed bytes: an id "a.1" before "." and a timestamp could be an id "a" with another time.
func idFits(content []segment, id string) bool {
	for i, s := range content {
		if s.kind != segID {
			continue
		}
		if i+1 < len(content) && strings.Index(id+content[i+1].text, content[i+1].text) != len(id) {
			return false
		}
		if i > 0 && strings.LastIndex(content[i-1].text+id, content[i-1].text) != 0 {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c-'0' <= 9 }
