package providers

import (
	"bytes"
	"fmt"
	"strings"
)

// This file takes the JSON document out of an HTML form, as GitHub sends one
// where a webhook's content type is a form. The signature is over the form as
// it came; only the mapping looks inside.

const (
	// headerContentType says whether a body is a form. Ingest stores it with every event.
	headerContentType = "content-type"
	// formType is the media type of a form in the body.
	formType = "application/x-www-form-urlencoded"
)

// isForm reports whether a Content-Type says that the body is a form. Its
// parameters say nothing: a form is ASCII whatever they are.
func isForm(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), formType)
}

// formValue appends the decoded value of the form's field to dst. The field
// must stand there exactly once: of two values nobody knows which the sender meant.
func formValue(dst, form []byte, field string) ([]byte, error) {
	found, offset := false, 0
	var name []byte
	for rest := form; len(rest) > 0; {
		pair, after, _ := bytes.Cut(rest, []byte("&"))
		key, value, _ := bytes.Cut(pair, []byte("="))
		at := offset
		offset, rest = offset+len(pair)+1, after
		if len(key) > 3*len(field) {
			continue // too long to be the field's name, however it is escaped
		}
		var bad int
		if name, bad = appendUnescaped(name[:0], key); bad >= 0 || string(name) != field {
			continue
		}
		if found {
			return dst, fmt.Errorf("at byte %d: the field %q a second time", at, field)
		}
		found = true
		if dst, bad = appendUnescaped(dst, value); bad >= 0 {
			return dst, fmt.Errorf("at byte %d: a '%%' without two hexadecimal digits after it", at+len(key)+1+bad)
		}
	}
	if !found {
		return dst, fmt.Errorf("it has no field %q", field)
	}
	return dst, nil
}

// appendUnescaped appends what a form's text stands for. bad is the place of an
// escape that is none, -1 where all are good.
func appendUnescaped(dst, text []byte) (out []byte, bad int) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '+':
			dst = append(dst, ' ')
		case '%':
			if i+2 >= len(text) {
				return dst, i
			}
			high, low := hexDigit(text[i+1]), hexDigit(text[i+2])
			if high < 0 || low < 0 {
				return dst, i
			}
			dst = append(dst, byte(high<<4|low))
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return dst, -1
}
