package ingest

import (
	"strconv"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// maxGrowth is how many bytes a body may exceed its source's limit by because
// of the hashes in it.
const maxGrowth = 256 << 10

// replace returns the body with the source's fields replaced, in the empty buffer out,
// and the headers with the mark where there were any. It is the one case in which
// ingest looks into a body, and only for sources that ask for it.
func (src *source) replace(body []byte, headers []eventstore.Header, out *buffer) ([]byte, []eventstore.Header, error) {
	limit := src.maxBody + maxGrowth
	// Room first, so that the usual body goes into memory that is accounted for.
	if err := out.grow(min(int64(len(body))+1024, limit)); err != nil {
		return body, headers, err
	}
	of := eventstore.Event{Headers: headers}
	replaced, fields := src.redact(out.b, body, int(limit), of.Header)
	if err := out.adopt(replaced); err != nil {
		return body, headers, err
	}
	mark := strconv.Itoa(fields)
	switch fields {
	case 0:
		return body, headers, nil
	case providers.RedactedWhole:
		mark = eventstore.RedactedBody
	}
	return replaced, append(headers, eventstore.Header{Name: eventstore.RedactedHeader, Value: mark}), nil
}
