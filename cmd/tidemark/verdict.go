package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// verdict is what came of it.
type verdict struct {
	Definition  string       `json:"definition"`
	Observation *observation `json:"observation,omitempty"`
	Quarantine  *quarantined `json:"quarantine,omitempty"`
	Signature   *signature   `json:"signature,omitempty"`
}

type observation struct {
	Connection string            `json:"connection"`
	Type       string            `json:"type"`
	ID         string            `json:"id,omitempty"`
	OccurredAt string            `json:"occurred_at,omitempty"`
	Sequence   *int64            `json:"sequence,omitempty"`
	Rule       string            `json:"rule,omitempty"`
	Sets       map[string]string `json:"sets"`
	Reason     string            `json:"reason,omitempty"`
	Code       string            `json:"code,omitempty"`
	Message    string            `json:"message,omitempty"`
	RequestID  string            `json:"request_id,omitempty"`
	ExpiresAt  string            `json:"expires_at,omitempty"`
}

type quarantined struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

type signature struct {
	Scheme string `json:"scheme"`
	Fits   bool   `json:"fits"`
	Why    string `json:"why,omitempty"`
	Hint   string `json:"hint,omitempty"`
	// Matches are the constructions that fit in its place.
	Matches []match `json:"matches,omitempty"`
}

func observed(o *providers.Observation) *observation {
	out := &observation{Connection: o.Connection, Type: o.Type, ID: o.DeliveryID, OccurredAt: exact(o.OccurredAt), Rule: o.Rule, Sets: map[string]string{},
		Reason: o.Detail.Reason, Code: o.Detail.Code, Message: o.Detail.Message, RequestID: o.Detail.RequestID, ExpiresAt: exact(o.Detail.ExpiresAt)}
	if o.HasSequence {
		out.Sequence = &o.Sequence
	}
	for f, v := range o.Sets {
		if v != providers.Unset {
			facet := providers.Facet(f)
			out.Sets[facet.String()] = facet.ValueName(v)
		}
	}
	return out
}

func (a *app) printVerdict(v *verdict) error {
	if a.format == formatJSON || a.format == formatJSONL {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return a.printJSON(b)
	}
	p := newPrinter(a,
		column[setting]{name: "read", cell: func(s setting) string { return s.Key }},
		column[setting]{name: "value", cell: func(s setting) string { return s.Value }},
	)
	for _, s := range v.rows() {
		if s.Value == "" {
			continue
		}
		if err := p.item(s); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil || v.Signature == nil {
		return err
	}
	for _, m := range v.Signature.Matches {
		if m.Definition != "" {
			fmt.Fprintf(a.stderr, "\nthat is, in a definition of your own:\n%s", inertLines(m.Definition))
		}
	}
	return nil
}

func (v *verdict) rows() []setting {
	var out []setting
	if q := v.Quarantine; q != nil {
		out = append(out, setting{"quarantined", q.Code}, setting{"why", q.Reason})
	}
	if o := v.Observation; o != nil {
		what := sets(o.Sets)
		if what == "" {
			what = "nothing: it stands on the timeline under its type"
		}
		sequence := ""
		if o.Sequence != nil {
			sequence = fmt.Sprint(*o.Sequence)
		}
		out = append(out, setting{"connection", o.Connection}, setting{"type", o.Type}, setting{"id", o.ID},
			setting{"occurred at", o.OccurredAt}, setting{"sequence", sequence}, setting{"rule", o.Rule}, setting{"sets", what},
			setting{"reason", o.Reason}, setting{"code", o.Code}, setting{"message", o.Message}, setting{"request id", o.RequestID}, setting{"expires at", o.ExpiresAt})
	}
	if s := v.Signature; s != nil {
		fits := "fits (" + s.Scheme + ")"
		if !s.Fits {
			fits = "DOES NOT FIT (" + s.Scheme + ")"
		}
		out = append(out, setting{"signature", fits}, setting{"why", s.Why}, setting{"hint", s.Hint})
		for _, m := range s.Matches {
			// Two ways to write one construction down are one row.
			if row := (setting{"what fits", m.Construction}); out[len(out)-1] != row {
				out = append(out, row)
			}
		}
	}
	return out
}

// prove checks the signature.
func (a *app) prove(t *trial) (*signature, error) {
	verifier, err := t.def.NewVerifier(t.secrets, providers.FetchKeys(keyTransport(t.def)))
	if err != nil {
		return nil, usage(err, "")
	}
	s := &signature{Scheme: t.def.Scheme()}
	switch _, err := verifier.Verify(t.request, a.now()); {
	case err == nil:
		s.Fits = true
	case errors.Is(err, providers.ErrOutsideWindow):
		s.Fits, s.Why = true, "the request is old: a server would refuse it by now ("+err.Error()+")"
	default:
		s.Why = err.Error()
		s.explain(t, verifier.Explain(t.request, err))
	}
	return s, nil
}

// explain adds which construction does match, as the lines of a definition.
func (s *signature) explain(t *trial, words string) {
	// The lines of a definition that may follow come with the matches.
	if words, _, _ := strings.Cut(words, "\n"); words != "" {
		s.Hint = words
	}
	for _, secret := range t.secrets {
		for _, c := range providers.Constructions(t.request, secret) {
			s.Matches = append(s.Matches, match{c.String(), c.YAML()})
		}
	}
}

// match is a construction that fits the request.
type match struct {
	Construction string `json:"construction"`
	Definition   string `json:"definition,omitempty"`
}
