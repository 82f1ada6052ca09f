package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

func newProvidersTest(a *app) *cobra.Command {
	var bodyFile, token string
	var secrets, headers []string
	cmd := &cobra.Command{
		Use:   "test NAME|FILE --body payload.json",
		Short: "Show what a definition reads out of a payload, and whether its signature fits",
		Long: `Show what a definition reads out of a payload, and with --secret whether the request is authentic by it.
Give the headers as they were received, the signature above all. The replay window is not applied: a
captured request may be old. Ends with 3 if the payload would be quarantined or the signature does not fit.`,
		Example: `  tidemark providers test makini --body payload.json
  tidemark providers test ./makini-mine.yaml --body payload.json \
      --header 'X-Makini-Signature: 5f0c…' --secret file:makini.secret`,
		Args:              exactly("NAME|FILE"),
		ValidArgsFunction: completeDefinition,
		RunE: func(cmd *cobra.Command, args []string) error {
			if bodyFile == "" {
				return usage(errors.New("--body is missing"), "the payload as it was received: --body payload.json, or --body - for stdin")
			}
			d, err := loadDefinition(args[0])
			if err != nil {
				return err
			}
			t := &trial{def: d}
			if t.request.Body, err = readBody(bodyFile, cmd.InOrStdin()); err != nil {
				return err
			}
			if t.request.Header, err = parseHeaders(headers); err != nil {
				return err
			}
			t.request.Token = token
			if t.secrets, err = readSecrets(secrets); err != nil {
				return err
			}
			return a.try(t)
		},
	}
	f := cmd.Flags()
	f.StringVar(&bodyFile, "body", "", "file with the payload, byte for byte as it was received; - for stdin (required)")
	f.StringArrayVar(&secrets, "secret", nil, "a secret to try, or file:PATH (repeatable)")
	f.StringArrayVar(&headers, "header", nil, "a header of the request, 'Name: value' (repeatable)")
	f.StringVar(&token, "token", "", "the last part of the path, where the sender proves itself by it")
	return cmd
}

func readBody(path string, stdin io.Reader) ([]byte, error) {
	var b []byte
	var err error
	if path == "-" {
		b, err = io.ReadAll(stdin)
	} else {
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, usage(fmt.Errorf("--body: %w", err), "")
	}
	return b, nil
}

func parseHeaders(lines []string) (http.Header, error) {
	h := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, usage(fmt.Errorf("--header: %q is no header", line), "as in --header 'X-Makini-Signature: 5f0c…'")
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return h, nil
}

// readSecrets takes secrets as they stand, or from files, one newline at the end taken off.
func readSecrets(given []string) ([]providers.Secret, error) {
	var out []providers.Secret
	for _, s := range given {
		if path, ok := strings.CutPrefix(s, "file:"); ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, usage(fmt.Errorf("--secret: %w", err), "")
			}
			s = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
		}
		out = append(out, providers.NewSecret(s))
	}
	return out, nil
}

// trial is one request to hold against a definition.
type trial struct {
	def     *providers.Definition
	request providers.Request
	secrets []providers.Secret
}

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

// try prints the verdict, and ends in exit code 3 where the event would be refused or quarantined.
func (a *app) try(t *trial) error {
	v := verdict{Definition: t.def.Name()}
	o, err := t.def.NewMapper().Map(t.request.Body, t.request.Header.Get)
	var u *providers.Unplaceable
	switch {
	case errors.As(err, &u):
		v.Quarantine = &quarantined{u.Code, u.Detail}
	case err != nil:
		return err
	default:
		v.Observation = observed(&o)
	}
	if len(t.secrets) > 0 || t.def.Scheme() == "none" {
		if v.Signature, err = a.prove(t); err != nil {
			return err
		}
	}
	if err := a.printVerdict(&v); err != nil {
		return err
	}
	if v.Quarantine != nil || v.Signature != nil && !v.Signature.Fits {
		return errUnhealthy
	}
	return nil
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
	verifier, err := t.def.NewVerifier(t.secrets)
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
