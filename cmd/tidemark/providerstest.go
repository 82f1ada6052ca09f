package main

import (
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
	var ft fixturesTest
	cmd := &cobra.Command{
		Use:   "test NAME|FILE [--body payload.json]",
		Short: "Show what a definition reads out of a payload or of its fixtures, and whether its signature fits",
		Long: `Without --body: show what a definition reads out of each of its fixtures, the payloads in FILE with .txtar
in the place of .yaml (or in --fixtures), and end with 3 if it is not what the file wants. docs/PROVIDERS.md
says how fixtures are written.

With --body: show what a definition reads out of a payload, and with --secret whether the request is authentic by it.
Give the headers as they were received, the signature above all. The replay window is not applied: a
captured request may be old. Ends with 3 if the payload would be quarantined or the signature does not fit.`,
		Example: `  tidemark providers test ./makini-mine.yaml
  tidemark providers test ./makini-mine.yaml --update
  tidemark providers test makini --body payload.json
  tidemark providers test ./makini-mine.yaml --body payload.json \
      --header 'X-Makini-Signature: 5f0c…' --secret file:makini.secret`,
		Args:              exactly("NAME|FILE"),
		ValidArgsFunction: completeDefinition,
		RunE: func(cmd *cobra.Command, args []string) error {
			if bodyFile == "" && len(secrets)+len(headers)+len(token) == 0 {
				return ft.run(a, args[0])
			}
			if bodyFile == "" {
				return usage(errors.New("--body is missing"), "the payload as it was received: --body payload.json, or --body - for stdin")
			}
			if ft.path != "" || ft.update {
				return usage(errors.New("--body is one payload, so it does not go with --fixtures or --update"), "")
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
	f.StringVar(&bodyFile, "body", "", "file with the payload, byte for byte as it was received; - for stdin")
	f.StringArrayVar(&secrets, "secret", nil, "a secret to try, or file:PATH (repeatable)")
	f.StringArrayVar(&headers, "header", nil, "a header of the request, 'Name: value' (repeatable)")
	ft.flags(cmd)
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

// try prints the verdict, and ends in exit code 3 where the event would be refused or quarantined.
func (a *app) try(t *trial) error {
	v := verdict{Definition: t.def.Name()}
	o, err := t.def.NewMapper().Map(t.def.AsStored(t.request.Body, t.request.Header.Get), t.request.Header.Get)
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
