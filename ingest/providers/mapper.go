package providers

import (
	"fmt"
	"strconv"
)

// Mapper reads observations out of events by one definition. It keeps buffers
// between calls and is not safe for concurrent use: one per goroutine.
type Mapper struct {
	def *Definition
	doc document

	// Of the event at hand.
	header func(name string) string
	typ    []byte
	data   int // the node of data
	use    use
	cost   uint64 // of CEL, so far

	decoded   []decodedText // the strings with escapes that were read
	converted converted     // what CEL has asked for

	form    []byte // the document that a form held
	hidden  []int  // the nodes that must not be shown
	scratch []byte // texts that had to be decoded
	out     []byte // the observation's texts, until they become one string
}

// What a Mapper keeps of its buffers between events.
const (
	keepScratch = 1 << 16
	keepDecoded = 256
)

// NewMapper returns a Mapper for the definition.
func (d *Definition) NewMapper() *Mapper { return &Mapper{def: d} }

// Map reads the observation out of a body. header returns the value of a kept
// header by its lower-case name as in KeepHeaders, "" where there is none; it is
// not called where the definition keeps none. The observation's strings are
// its own: they stay valid when body changes. An error is always an
// *Unplaceable. Equal bodies and headers give equal results, whatever was mapped before.
func (m *Mapper) Map(body []byte, header func(name string) string) (Observation, error) {
	o, err := m.read(body, header)
	m.converted.forget()
	m.header, m.doc.text, m.typ = nil, nil, nil
	if cap(m.scratch) > keepScratch {
		m.scratch = nil
	}
	if cap(m.decoded) > keepDecoded {
		m.decoded = nil
	}
	if cap(m.form) > keepScratch {
		m.form = nil
	}
	if err != nil {
		return Observation{}, err
	}
	return o, nil
}

func (m *Mapper) read(body []byte, header func(name string) string) (o Observation, _ error) {
	p := m.def.mapping
	if err := m.index(body, header); err != nil {
		return o, err
	}
	m.header, m.scratch, m.decoded, m.out = header, m.scratch[:0], m.decoded[:0], m.out[:0]
	m.typ, m.data, m.cost = nil, noNode, 0

	typ, err := m.text(p.typ, scalarKinds)
	switch {
	case err != nil:
		return o, err
	case len(typ) == 0:
		return o, unplaceable(CodeNoType, "no event type in "+sources(p.typ))
	case len(typ) > MaxType:
		return o, unplaceable(CodeBadType, fmt.Sprintf("the event type has %d bytes, more than %d: %s…", len(typ), MaxType, cut(string(typ), 100)))
	}
	if err := m.masked(typ, "the event type"); err != nil {
		return o, err
	}
	m.typ = typ
	for _, candidate := range p.data {
		if n, _ := m.node(candidate); n != noNode && !m.emptyString(n) {
			m.data = n
			break
		}
	}

	connection, err := m.text(p.connection, scalarKinds)
	switch {
	case err != nil:
		return o, err
	case len(connection) == 0:
		return o, unplaceable(CodeNoConnection, "no connection id in "+sources(p.connection))
	case len(connection) > MaxID:
		return o, unplaceable(CodeBadConnection, fmt.Sprintf("the connection id has %d bytes, more than %d: %s…", len(connection), MaxID, cut(string(connection), 100)))
	}
	if err := m.masked(connection, "the connection id"); err != nil {
		return o, err
	}

	id, err := m.text(p.id, scalarKinds)
	switch {
	case err != nil:
		return o, err
	case len(id) > MaxID:
		return o, unplaceable(CodeBadID, fmt.Sprintf("the delivery id has %d bytes, more than %d: %s…", len(id), MaxID, cut(string(id), 100)))
	}
	if err := m.masked(id, "the delivery id"); err != nil {
		return o, err
	}
	if err := m.readTimes(p, &o); err != nil {
		return o, err
	}

	candidates := p.others
	known := p.byType[string(typ)]
	if known != nil {
		o.Type, candidates = known.name, known.rules
	}
	matched, err := m.firstRule(p, candidates, known != nil)
	if err != nil {
		return o, err
	}
	if err := m.finish(&o, matched, connection, id); err != nil {
		return o, err
	}
	return o, nil
}

// index reads the body: the JSON document itself, or the form that holds it.
func (m *Mapper) index(body []byte, header func(name string) string) *Unplaceable {
	if isRedacted(body) {
		return unplaceable(CodeNotJSON, errRedactedWhole.Error())
	}
	what, field := "the body", m.def.mapping.formField
	if field != "" && isForm(header(headerContentType)) {
		var err error
		if m.form, err = formValue(m.form[:0], body, field); err != nil {
			return unplaceable(CodeNotJSON, "the body is a form, and no JSON document can be taken out of it: "+err.Error())
		}
		body, what = m.form, "the form's field "+field
	}
	if err := m.doc.index(body); err != nil {
		return unplaceable(CodeNotJSON, what+" is not strict JSON: "+m.def.hidden.words(err))
	}
	m.hide()
	return nil
}

// readTimes reads the time and the sequence.
func (m *Mapper) readTimes(p *mapping, o *Observation) *Unplaceable {
	v, err := m.first(p.occurredAt)
	if err != nil {
		return err
	}
	if v.kind != kindAbsent {
		t, problem := p.times.parse(v)
		if problem != "" {
			return unplaceable(CodeBadTime, "the time is unreadable, "+problem)
		}
		o.OccurredAt = t
	}
	if len(p.sequence) == 0 {
		return nil
	}
	if v, err = m.first(p.sequence); err != nil || v.kind == kindAbsent {
		return err
	}
	n, parseErr := strconv.ParseInt(string(v.text), 10, 64)
	if parseErr != nil {
		return unplaceable(CodeBadSequence, fmt.Sprintf("the sequence is not an integer of 64 bits: %s %q", v.kind, cut(string(v.text), 64)))
	}
	o.Sequence, o.HasSequence = n, true
	return nil
}

// firstRule returns the first rule of the candidates that matches, nil where none
// does. typed says that the candidates are for this very type.
func (m *Mapper) firstRule(p *mapping, candidates []int, typed bool) (*rule, *Unplaceable) {
	for _, i := range candidates {
		r := &p.rules[i]
		if !typed && len(r.prefixes) > 0 && !r.meets(string(m.typ)) {
			continue
		}
		if r.when != nil {
			if ok, err := m.holds(r.when); err != nil {
				return nil, err
			} else if !ok {
				continue
			}
		}
		return r, nil
	}
	return nil, nil
}

// finish fills in what the rule says and turns the texts into one string,
// which is one allocation in the place of seven.
func (m *Mapper) finish(o *Observation, r *rule, connection, id []byte) error {
	var ends [6]int
	m.out = append(m.out, connection...)
	m.out = append(m.out, id...)
	ends[0] = len(m.out)
	if o.Type == "" {
		m.out = append(m.out, m.typ...)
	}
	ends[1] = len(m.out)
	if r != nil {
		o.Rule, o.Sets = r.name, r.sets
		for i, list := range [...][]*expr{r.reason, r.code, r.message, r.requestID} {
			text, err := m.text(list, detailKinds)
			if err != nil {
				return err
			}
			m.out = append(m.out, cutBytes(text, MaxDetail)...)
			ends[i+2] = len(m.out)
		}
		if len(r.expiresAt) > 0 {
			v, err := m.first(r.expiresAt)
			if err != nil {
				return err
			}
			// A detail that cannot be read must not cost the event its effect.
			o.Detail.ExpiresAt, _ = m.def.mapping.times.parse(v)
		}
	} else {
		ends[2], ends[3], ends[4], ends[5] = len(m.out), len(m.out), len(m.out), len(m.out)
	}
	all := string(m.out)
	o.Connection = all[:len(connection)]
	o.DeliveryID = all[len(connection):ends[0]]
	if o.Type == "" {
		o.Type = all[ends[0]:ends[1]]
	}
	o.Detail.Reason = all[ends[1]:ends[2]]
	o.Detail.Code = all[ends[2]:ends[3]]
	o.Detail.Message = all[ends[3]:ends[4]]
	o.Detail.RequestID = all[ends[4]:ends[5]]
	return nil
}
