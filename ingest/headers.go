package ingest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/tidemark-dev/tidemark/eventstore"
)

const (
	// maxHeaderNames bounds the distinct headers of a request; NewServer bounds their bytes.
	maxHeaderNames = 128
	// maxKept bounds an allow-list, maxValue the bytes kept of one header. A
	// longer value is cut. It is longer than any delivery id that a mapping
	// accepts, so two ids never become one by being cut.
	maxKept  = 64
	maxValue = 4096

	nameContentType     = "content-type"
	nameContentEncoding = "content-encoding"
)

// allowed is one header of an allow-list: its name as the list spells it, and
// as net/http spells it.
type allowed struct{ name, canonical string }

// allowList checks the names of a source and takes out repeats, which the
// first spelling wins. Content-Type is always kept. Content-Encoding is stored by
// ingest alone, to say that a body could not be decoded, and Tidemark-Redacted to say that fields of it were
// replaced: they cannot be listed.
func allowList(names []string) ([]allowed, error) {
	var out []allowed
	seen := map[string]bool{http.CanonicalHeaderKey(nameContentEncoding): true, eventstore.RedactedHeader: true}
	for _, n := range append([]string{nameContentType}, names...) {
		if !eventstore.ValidHeaderName(n) {
			return nil, fmt.Errorf("header %.80q to keep is no name of an HTTP header", n)
		}
		switch c := http.CanonicalHeaderKey(n); c {
		case "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie":
			return nil, fmt.Errorf("header %s holds credentials and is never kept: take it out of the list", c)
		default:
			if !seen[c] {
				seen[c] = true
				out = append(out, allowed{n, c})
			}
		}
	}
	if len(out) > maxKept {
		return nil, fmt.Errorf("%d headers to keep, and at most %d are allowed", len(out), maxKept)
	}
	return out, nil
}

// keep returns the request's headers that the list names, in its order.
// Several lines of one name are joined with ", ", as RFC 9110 reads them.
func keep(list []allowed, h http.Header) []eventstore.Header {
	out := make([]eventstore.Header, 0, len(list)+1) // one more for what ingest adds
	for _, a := range list {
		lines := h[a.canonical]
		switch len(lines) {
		case 0:
			continue
		case 1:
			out = append(out, eventstore.Header{Name: a.name, Value: clean(lines[0])})
		default:
			out = append(out, eventstore.Header{Name: a.name, Value: clean(strings.Join(lines, ", "))})
		}
	}
	return out
}

// clean cuts a value and replaces control characters by spaces. net/http lets none but tab through;
// this holds whoever calls.
func clean(v string) string {
	if len(v) > maxValue {
		v = v[:maxValue]
	}
	for i := range len(v) {
		if control(v[i]) {
			b := []byte(v)
			for j := i; j < len(b); j++ {
				if control(b[j]) {
					b[j] = ' '
				}
			}
			return string(b)
		}
	}
	return v
}

func control(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }
