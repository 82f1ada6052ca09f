package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/time/rate"

	"github.com/tidemark-dev/tidemark/ingest"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/internal/config"
)

// source is a configured source with its definition loaded and its secrets decoded.
type source struct {
	config.Source
	def *providers.Definition
	// verifier is nil for a source whose secret is made on the first start, before that.
	verifier *providers.Verifier
	// redactor is nil where the definition redacts nothing, and before the first start, on which its key is made.
	redactor *providers.Redactor
}

// openSources loads the definition of each source and tries its secrets. All
// that is wrong is told at once, as a usage error: the configuration has to change.
func openSources(cfg *config.Config) ([]source, error) {
	var out []source
	var errs []error
	for _, s := range cfg.Sources {
		one := source{Source: s}
		err := one.open(cfg.DataDir)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: source %s: %w", s.Where, s.Name, err))
		}
		out = append(out, one)
	}
	if len(errs) > 0 {
		return nil, usage(errors.Join(errs...), "what each key means: docs/CONFIG.md; the built-in providers: tidemark providers list")
	}
	return out, nil
}

func (s *source) open(dataDir string) (err error) {
	if s.def, err = s.Definition(); err != nil {
		return err
	}
	secrets := s.Secrets
	if s.Generated {
		secret, err := config.ReadDefaultSecret(dataDir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		secrets = []providers.Secret{secret}
	}
	s.Secrets = secrets
	if len(s.def.Redacted()) > 0 {
		key, err := config.ReadRedactKey(dataDir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil {
			s.redactor = s.def.NewRedactor(key)
		}
	}
	verifying := s.def
	if s.Tolerance > 0 {
		if verifying, err = s.def.WithTolerance(s.Tolerance); err != nil {
			return err
		}
	}
	s.verifier, err = verifying.NewVerifier(secrets, providers.FetchKeys(keyTransport(verifying)))
	return err
}

// verify is the source's Verify, whose error now and then also explains in words
// that help what is wrong with a signature: for the log alone. Not every time, for
// the search takes a while, and whoever can send requests could ask for it all day.
func (s *source) verify() func(providers.Request, time.Time) (string, error) {
	limit := rate.NewLimiter(rate.Every(15*time.Second), 3)
	return func(r providers.Request, now time.Time) (string, error) {
		verified, err := s.verifier.Verify(r, now)
		if err != nil && limit.AllowN(now, 1) {
			if words := s.verifier.Explain(r, err); words != "" {
				err = fmt.Errorf("%w; %s", err, words)
			}
		}
		return verified, err
	}
}

// ingest is the source as ingest takes it.
func (s *source) ingest() ingest.Source {
	out := ingest.Source{Name: s.Name, Verify: s.verify(), Headers: union(s.def.KeepHeaders(), s.Headers), MaxBody: s.MaxBody}
	switch {
	case s.redactor != nil:
		out.Redact = s.redactor.Redact
	case len(s.def.Redacted()) > 0:
		// Rather no event than one that is stored in clear.
		out.Verify = func(providers.Request, time.Time) (string, error) { return "", errNoRedactKey }
	}
	return out
}

var errNoRedactKey = errors.New("the definition redacts fields, and redact.key is gone from the data directory: restore it from a backup, or start anew to have another made")

// pick returns the source of that name, or says which there are.
func pick(sources []source, name string) (*source, error) {
	var names []string
	for i := range sources {
		if sources[i].Name == name {
			return &sources[i], nil
		}
		names = append(names, sources[i].Name)
	}
	return nil, usage(fmt.Errorf("the configuration has no source %q", name), fmt.Sprintf("it has: %v; another configuration: -c FILE", names))
}
