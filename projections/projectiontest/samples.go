package projectiontest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// Sample is a payload of a provider, and what it means by the text that people
// reviewed, not by the mapping.
type Sample struct {
	Name    string
	Body    []byte
	Headers []eventstore.Header
	// Means is what the payload says. One that says nothing has no connection.
	Means Observed
}

// Samples returns the fixtures of a built-in definition as samples.
func Samples(t T, d *providers.Definition) []Sample {
	t.Helper()
	fixtures, err := providers.BuiltinFixtures(d.Name())
	if err != nil {
		t.Fatalf("samples: %v", err)
	}
	var out []Sample
	for i := range fixtures.List {
		x := &fixtures.List[i]
		means, err := readWant(x.Want)
		if err != nil {
			t.Fatalf("%s, %s: %v", d.Name(), x.Name, err)
		}
		header := x.Header()
		s := Sample{Name: x.Name, Body: d.AsStored(x.Body, header.Get), Means: means}
		for _, name := range d.KeepHeaders() {
			if v := header.Get(name); v != "" {
				s.Headers = append(s.Headers, eventstore.Header{Name: name, Value: v})
			}
		}
		out = append(out, s)
	}
	return out
}

// readWant reads the lines that providers.Describe writes.
func readWant(text string) (Observed, error) {
	var o Observed
	if strings.HasPrefix(text, "unplaceable ") {
		return o, nil
	}
	o.Sets, o.Error = map[string]string{}, map[string]string{}
	for line := range strings.Lines(text) {
		key, quoted, _ := strings.Cut(strings.TrimSpace(line), `"`)
		key = strings.TrimSpace(key)
		var value string
		err := json.Unmarshal([]byte(`"`+quoted), &value)
		switch facet, isSet := strings.CutPrefix(key, "set "); {
		case err != nil:
		case isSet:
			o.Sets[facet] = value
		case key == "connection":
			o.Connection = value
		case key == "type":
			o.Type = value
		case key == "delivery_id":
			o.ID = value
		case key == "occurred_at":
			o.Occurred, err = time.Parse(time.RFC3339Nano, value)
		case key == "sequence":
			o.Sequence = new(int64)
			_, err = fmt.Sscan(value, o.Sequence)
		case key == "reason":
			o.Reason = value
		case key == "code", key == "message", key == "request_id":
			o.Error[key] = value
		case key == "expires_at":
			o.Expires, err = time.Parse(time.RFC3339Nano, value)
		case key != "rule":
			err = fmt.Errorf("the key %q is unknown", key)
		}
		if err != nil {
			return o, fmt.Errorf("the line %q: %w", line, err)
		}
	}
	return o, nil
}

// Delivered is a sample as it arrives.
type Delivered struct {
	eventstore.Event
	Means Observed
}

// DrawSamples returns n deliveries of samples to some sources, in the order in
// which they arrive. Where a sample spells its time or its delivery's id out, they are
// other ones in each delivery, so that the histories are long and have an order of their own;
// some deliveries are made again. Receipt spreads over days, about the samples' own times.
func DrawSamples(rng *rand.Rand, d *providers.Definition, samples []Sample, sources []string, n int) []Delivered {
	m := d.NewMapper()
	first, last := span(samples)
	around := last.Sub(first) + 48*time.Hour
	draw := func() time.Time {
		return first.Add(time.Duration(rng.Int64N(int64(around))) - 24*time.Hour).Truncate(time.Second)
	}
	var all []Delivered
	var tie time.Time
	for i := range n {
		at := draw()
		if rng.IntN(5) == 0 && !tie.IsZero() {
			at = tie
		}
		tie = at
		s := samples[rng.IntN(len(samples))]
		if varied := s.vary(at, i); rng.IntN(10) > 0 && varied.readBy(m) {
			s = varied
		}
		one := Delivered{Means: s.Means, Event: eventstore.Event{Source: sources[rng.IntN(len(sources))], Verified: "none", Headers: s.Headers, Body: s.Body}}
		for {
			all = append(all, one)
			if rng.IntN(8) > 0 {
				break
			}
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	received := draw()
	for i := range all {
		received = received.Add(1 + time.Duration(rng.Int64N(int64(2*around)/int64(len(all)))))
		all[i].ReceivedAt = received
		all[i].ID = newID(rng, received)
	}
	return all
}

// span is from the earliest to the latest time that the samples name.
func span(samples []Sample) (first, last time.Time) {
	for _, s := range samples {
		at := s.Means.Occurred
		switch {
		case at.IsZero() || at.Year() < 1970:
		case first.IsZero():
			first, last = at, at
		case at.Before(first):
			first = at
		case at.After(last):
			last = at
		}
	}
	if first.IsZero() || last.Sub(first) > 365*24*time.Hour {
		return Start, Start
	}
	return first, last
}

// vary returns the sample at another time and under another delivery id, as far
// as the payload spells them.
func (s Sample) vary(at time.Time, i int) Sample {
	was := s.Means
	if !was.Occurred.IsZero() {
		at = at.Add(time.Duration(was.Occurred.Nanosecond()))
		for _, spell := range []func(time.Time) string{
			func(t time.Time) string { return t.Format(time.RFC3339Nano) },
			func(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") },
			func(t time.Time) string { return fmt.Sprint(t.UnixMilli()) },
			func(t time.Time) string { return fmt.Sprint(t.Unix()) },
		} {
			if from := spell(was.Occurred); s.spells(from) {
				s = s.replace(from, spell(at))
				s.Means.Occurred = at
			}
		}
	}
	if len(was.ID) >= 6 && s.spells(s.Means.ID) {
		// Digits go behind numbers, names and UUIDs alike.
		s = s.replace(s.Means.ID, fmt.Sprintf("%s%04d", s.Means.ID, i))
	}
	return s
}

// readBy reports whether the time and the id are those that the mapping reads: a
// payload may spell another time alike, and its own in another way.
func (s *Sample) readBy(m *providers.Mapper) bool {
	o, err := m.Map(s.Body, func(name string) string {
		for _, h := range s.Headers {
			if h.Name == name {
				return h.Value
			}
		}
		return ""
	})
	return err == nil && o.OccurredAt.Equal(s.Means.Occurred) && o.DeliveryID == s.Means.ID
}

// spells reports whether the text stands in the payload or in a header.
func (s *Sample) spells(text string) bool {
	return strings.Contains(string(s.Body), text) ||
		slices.ContainsFunc(s.Headers, func(h eventstore.Header) bool { return strings.Contains(h.Value, text) })
}

// replace puts another text in the place of one, in the payload, in the headers and in what they mean.
func (s Sample) replace(from, to string) Sample {
	put := func(in string) string { return strings.ReplaceAll(in, from, to) }
	s.Body = []byte(put(string(s.Body)))
	s.Headers = slices.Clone(s.Headers)
	for i := range s.Headers {
		s.Headers[i].Value = put(s.Headers[i].Value)
	}
	m := &s.Means
	m.Connection, m.Type, m.ID, m.Reason = put(m.Connection), put(m.Type), put(m.ID), put(m.Reason)
	details := map[string]string{}
	for k, v := range m.Error {
		details[k] = put(v)
	}
	m.Error = details
	return s
}
