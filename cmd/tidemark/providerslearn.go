package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// maxLearnSecrets bounds the work: each takes up to a second.
const maxLearnSecrets = 8

func newProvidersLearn(a *app) *cobra.Command {
	var path string
	var given []string
	cmd := &cobra.Command{
		Use:   "learn --request captured.txt --secret SECRET",
		Short: "Find out how a captured request is signed",
		Long: `Find out how a captured request is signed: every built-in definition and some hundred constructions are
tried, with each secret (file:PATH reads one from a file). What matches is printed as a part of a definition to paste, else
what comes close and why. Nothing is sent anywhere, and the request may be old.

The file is the request as text: its start line (which may be left out), its headers, an empty line, and the
body, byte for byte as it was received. Ends with 3 if nothing matches.`,
		Example: `  tidemark providers learn --request captured.txt --secret file:acme.secret
  tidemark providers learn --request captured.txt --secret 'whsec_…' -o json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := readCaptured(path, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if len(given) == 0 || len(given) > maxLearnSecrets {
				return usage(fmt.Errorf("--secret: from 1 to %d are tried", maxLearnSecrets), "as in --secret file:acme.secret")
			}
			secrets, err := readSecrets(given)
			if err != nil {
				return err
			}
			for i, s := range secrets {
				if s.IsZero() {
					return usage(fmt.Errorf("--secret: number %d is empty", i+1), "")
				}
			}
			return a.learn(c, secrets)
		},
	}
	f := cmd.Flags()
	f.StringVar(&path, "request", "", "file with the captured request; - for stdin (required)")
	f.StringArrayVar(&given, "secret", nil, "a secret to try, or file:PATH (repeatable)")
	_ = cmd.RegisterFlagCompletionFunc("secret", cobra.NoFileCompletions)
	return cmd
}

func readCaptured(path string, stdin io.Reader) (*captured, error) {
	if path == "" {
		return nil, usage(errors.New("--request is missing"), "the request as it was captured: --request captured.txt, or --request - for stdin")
	}
	in := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, usage(fmt.Errorf("--request: %w", err), "")
		}
		defer func() { _ = file.Close() }() // it was only read
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxCaptured+1))
	if err != nil {
		return nil, usage(fmt.Errorf("--request: %w", err), "")
	}
	if len(data) > maxCaptured {
		return nil, usage(fmt.Errorf("--request: longer than %d bytes", maxCaptured), "")
	}
	c, err := parseCaptured(data)
	if err != nil {
		return nil, usage(fmt.Errorf("--request: %w", err), "as in:\nPOST /in/acme HTTP/1.1\nX-Acme-Signature: 5f0c…\n\n{\"id\":\"evt_1\"}")
	}
	return c, nil
}

// lesson is what was learned, as it is printed.
type lesson struct {
	// BuiltIn are the built-in definitions by which the request is authentic.
	BuiltIn []string `json:"built_in"`
	// Matches are the constructions by which it is, with the part of a definition.
	Matches []match `json:"matches"`
	// Close are those that almost fit: the reason is a part of the words.
	Close []match `json:"close"`
	// Addressed are built-in definitions that it seems meant for.
	Addressed []addressed `json:"addressed"`
	Notes     []string    `json:"notes"`
}

type addressed struct {
	Definition string `json:"definition"`
	Why        string `json:"why"`
}

// learn prints what a request tells, and ends in exit code 3 where nothing matches.
func (a *app) learn(c *captured, secrets []providers.Secret) error {
	l := providers.Learn(c.Request, secrets)
	out := lesson{BuiltIn: append([]string{}, l.Definitions...), Matches: []match{}, Close: []match{}, Addressed: []addressed{}, Notes: append([]string{}, c.notes...)}
	for _, m := range l.Matches {
		out.Matches = append(out.Matches, match{m.String(), m.YAML()})
	}
	for _, m := range l.Close {
		out.Close = append(out.Close, match{m.String(), ""})
	}
	for _, d := range l.Addressed {
		out.Addressed = append(out.Addressed, addressed(d))
	}
	out.Notes = append(out.Notes, l.Notes...)
	if err := a.printLesson(&out); err != nil {
		return err
	}
	if len(out.BuiltIn)+len(out.Matches) == 0 {
		return errUnhealthy
	}
	return nil
}

func (a *app) printLesson(l *lesson) error {
	if a.format == formatJSON || a.format == formatJSONL {
		b, err := json.Marshal(l)
		if err != nil {
			return err
		}
		return a.printJSON(b)
	}
	p := newPrinter(a,
		column[setting]{name: "learned", cell: func(s setting) string { return s.Key }},
		column[setting]{name: "what", cell: func(s setting) string { return s.Value }},
	)
	for _, s := range l.rows() {
		if err := p.item(s); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil {
		return err
	}
	switch {
	case len(l.BuiltIn) > 0:
		fmt.Fprintf(a.stderr, "\nin tidemark.yaml, at the source:\nprovider: %s\n", l.BuiltIn[0])
	case len(l.Matches) > 0:
		fmt.Fprintf(a.stderr, "\nin a definition of your own (to begin one: %s providers new NAME):\n%s", a.self, inertLines(l.Matches[0].Definition))
	default:
		fmt.Fprintf(a.stderr, "\nnothing matches\n")
	}
	return nil
}

// rows are the lines of the table.
func (l *lesson) rows() []setting {
	var out []setting
	if len(l.BuiltIn) > 0 {
		out = append(out, setting{"built-in definition", strings.Join(l.BuiltIn, ", ")})
	}
	for _, m := range l.Matches {
		out = append(out, setting{"fits", m.Construction})
	}
	for _, m := range l.Close {
		out = append(out, setting{"close", m.Construction})
	}
	for _, d := range l.Addressed {
		out = append(out, setting{"meant for " + d.Definition, d.Why})
	}
	for _, n := range l.Notes {
		out = append(out, setting{"note", n})
	}
	return out
}
