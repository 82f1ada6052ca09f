package projectiontest

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// odd are values that senders were not asked for.
var odd = []any{
	nil, true, false, "", "0", "null", " ", "\x00", "é\u202e\U0001f4a9", strings.Repeat("x", 1025), strings.Repeat("é", 3000), "=1+1", "a\r\nb", "../../etc", "{{.}}",
	json.Number("0"), json.Number("-0"), json.Number("-1"), json.Number("1e400"), json.Number("9007199254740993"), json.Number("18446744073709551616"), json.Number("0.1"),
	json.Number("1773480413"), json.Number("1773480413589"), json.Number("253402300800"), json.Number("-62135596801"),
	"2026-03-14T09:26:53Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999+14:00", "1677-09-21T00:12:43Z", "2262-04-12T00:00:00Z", "2026-03-14", "yesterday",
	[]any{}, map[string]any{}, []any{nil, "a", json.Number("1")}, map[string]any{"id": "x", "status": nil, "error": map[string]any{"code": []any{}}},
}

// Mutate returns a sample's payload and headers, mutilated: bytes flipped, cut and
// spliced with another sample's, or members dropped, renamed, swapped and replaced.
// What comes out means whatever the mapping says, or nothing.
func Mutate(rng *rand.Rand, samples []Sample) Delivered {
	s, other := samples[rng.IntN(len(samples))], samples[rng.IntN(len(samples))]
	d := Delivered{Event: eventstore.Event{Verified: "none", Headers: slices.Clone(s.Headers), Body: bytes.Clone(s.Body)}}
	for range 1 + rng.IntN(3) {
		if v, ok := decode(d.Body); ok && rng.IntN(4) > 0 {
			if o, ok := decode(other.Body); ok {
				if b, err := json.Marshal(mutateValue(rng, v, o)); err == nil {
					d.Body = b
				}
			}
			continue
		}
		d.Body = mutateBytes(rng, d.Body, other.Body)
	}
	for i := range d.Headers {
		switch text, isText := odd[rng.IntN(len(odd))].(string); {
		case rng.IntN(4) > 0:
		case isText && !strings.ContainsAny(text, "\r\n\x00"):
			d.Headers[i].Value = text
		default:
			d.Headers = d.Headers[:i]
			return d
		}
	}
	return d
}

func decode(body []byte) (v any, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	return v, dec.Decode(&v) == nil
}

// mutateValue changes one place of v, somewhere down.
func mutateValue(rng *rand.Rand, v, other any) any {
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return odd[rng.IntN(len(odd))]
	}
	names := slices.Sorted(maps.Keys(m))
	name := names[rng.IntN(len(names))]
	switch rng.IntN(6) {
	case 0:
		delete(m, name)
	case 1:
		m[strings.ToUpper(name)] = m[name]
		delete(m, name)
	case 2:
		m[name] = m[names[rng.IntN(len(names))]]
	case 3:
		if o, ok := other.(map[string]any); ok {
			maps.Copy(m, o)
		}
	case 4:
		m[name] = odd[rng.IntN(len(odd))]
	default:
		m[name] = mutateValue(rng, m[name], other)
	}
	return m
}

func mutateBytes(rng *rand.Rand, b, other []byte) []byte {
	if len(b) == 0 {
		return slices.Clone(other)
	}
	at := rng.IntN(len(b))
	switch rng.IntN(5) {
	case 0:
		b[at] ^= 1 << rng.IntN(8)
	case 1:
		b = b[:at]
	case 2:
		b = slices.Delete(b, at, min(len(b), at+1+rng.IntN(8)))
	case 3:
		b = slices.Insert(b, at, []byte([]string{`"`, `\u0000`, "\xff", "{", "}", ",", `\`, "1e999"}[rng.IntN(8)])...)
	default:
		b = slices.Concat(b[:at], other[min(at, len(other)):])
	}
	return b
}
