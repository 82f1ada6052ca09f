package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/ingest"
	"github.com/tidemark-dev/tidemark/internal/config"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// reloader reads the configuration and the definitions anew, on SIGHUP and when a
// file of theirs has changed, and puts in force what can be while the server runs. Either all of it
// comes into force or nothing: a file that is wrong leaves everything as it was.
type reloader struct {
	a     *app
	f     *serveFlags
	every time.Duration // between two looks at the files

	set    *generations.Set
	ingest *ingest.Handler
	level  *slog.LevelVar
	logger *slog.Logger

	// cfg is what is in force. Of what needs a restart it holds the values of the start.
	cfg     *config.Config
	sources []source
	names   atomic.Pointer[[]string] // of sources, for whoever asks meanwhile
	readBy  string                   // the generation whose headers ingest keeps too
	warned  []string

	files lookout
	told  [sha256.Size]byte // of the files whose changed mappings were told last
	// problem is why the files are not in force, restart what needs one, both for people; nil for nothing.
	problem, restart atomic.Pointer[string]
	metrics          *reloadMetrics
}

// newReloader returns a reloader of what a start has read. It does nothing until Run.
func newReloader(a *app, f *serveFlags, cfg *config.Config, sources []source, level *slog.LevelVar, logger *slog.Logger, reg prometheus.Registerer) (*reloader, error) {
	r := &reloader{a: a, f: f, every: f.lookEvery, level: level, logger: logger, cfg: cfg, sources: sources, warned: cfg.Warnings}
	names := sourceNames(sources)
	r.names.Store(&names)
	var err error
	r.metrics, err = newReloadMetrics(reg, a.now())
	return r, err
}

// sourceNames are the sources in force, by name.
func (r *reloader) sourceNames() []string { return *r.names.Load() }

// Run looks at the files until ctx ends, and reads them anew when they have changed, and at
// a hangup. It returns errLeft where that was the terminal's.
func (r *reloader) Run(ctx context.Context, h hangups) error {
	r.readBy = r.set.Status().Serving
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.signals:
			if h.left() {
				return errLeft
			}
			r.files.readAll(watched(r.cfg, r.sources))
			r.read(ctx, true)
		case <-tick.C:
			r.follow()
			if r.files.due(watched(r.cfg, r.sources), r.problem.Load() != nil) {
				r.read(ctx, false)
			}
		}
	}
}

// read reads everything anew. asked says that somebody wants an answer in the log, also where
// there is nothing to say.
func (r *reloader) read(ctx context.Context, asked bool) {
	cfg, sources, restart, err := r.load()
	var changed changes
	if err == nil {
		keepVerifiers(r.sources, sources)
		if changed = changesOf(r.cfg, cfg, r.sources, sources); !changed.none() {
			if asked || r.told != r.files.read {
				changed.logMappings(r.logger) // what is done about it follows
				r.told = r.files.read
			}
			err = r.apply(ctx, cfg, sources)
		}
	}
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		r.refused(err, asked)
		return
	}
	r.cfg, r.sources = cfg, sources
	asked = r.problem.Swap(nil) != nil || asked
	r.metrics.good(changed.none(), r.a.now())
	r.warn(cfg.Warnings)
	r.needRestart(restart, asked)
	if !changed.none() || asked {
		changed.log(r.logger)
	}
}

// errNotPut is that a configuration is in order, and the projections cannot take it up.
var errNotPut = errors.New("it cannot be put in force")

// refused says why what stands in the files does not come into force: once, unless somebody asks.
func (r *reloader) refused(err error, asked bool) {
	words := strings.TrimSpace(err.Error())
	before := r.problem.Swap(&words)
	if before != nil && *before == words && !asked {
		return
	}
	r.metrics.refused()
	attrs := []any{slog.String("error", words)}
	var f *failure
	if errors.As(err, &f) && f.next != "" {
		attrs = append(attrs, slog.String("next", f.next))
	}
	what := "the configuration was changed, and it is wrong: everything stays as it was"
	if errors.Is(err, errNotPut) {
		what = "the configuration was changed and is in order, but cannot be put in force yet: everything stays as it was"
	}
	r.logger.Error(what, attrs...)
}

// load reads the files as the start does. Of what needs a restart it returns the
// values in force, and the keys that have others in the file.
func (r *reloader) load() (*config.Config, []source, []string, error) {
	if err := readableAgain(r.cfg); err != nil {
		return nil, nil, nil, err
	}
	cfg, err := r.a.serveConfig(r.f)
	if err != nil {
		return nil, nil, nil, err
	}
	if cfg.File == "" && r.cfg.File != "" {
		return nil, nil, nil, fmt.Errorf("%s is gone", r.cfg.File)
	}
	restart := needRestart(r.cfg, cfg)
	cfg.Listen, cfg.IngestListen, cfg.DataDir = r.cfg.Listen, r.cfg.IngestListen, r.cfg.DataDir
	cfg.NATS, cfg.Auth, cfg.Limits, cfg.Disk, cfg.Memory, cfg.Log.Format = r.cfg.NATS, r.cfg.Auth, r.cfg.Limits, r.cfg.Disk, r.cfg.Memory, r.cfg.Log.Format
	if err := cfg.Validate(); err != nil { // a body may not be larger than what is in force leaves room for
		return nil, nil, nil, usage(err, "what each key means: docs/CONFIG.md")
	}
	if _, err := makeSecrets(cfg); err != nil {
		return nil, nil, nil, err
	}
	sources, err := openSources(cfg)
	return cfg, sources, restart, err
}

// makeSecrets makes the secrets that a data directory has of its own, on the first start.
func makeSecrets(cfg *config.Config) (made bool, err error) {
	for _, s := range cfg.Sources {
		if s.Generated {
			if _, made, err = config.EnsureDefaultSecret(cfg.DataDir, rand.Reader); err != nil {
				return false, err
			}
		}
	}
	_, err = config.EnsureRedactKey(cfg.DataDir, rand.Reader)
	return made, err
}

// apply puts what was read in force. The projections come first: an event of a new
// source must find its definition.
func (r *reloader) apply(ctx context.Context, cfg *config.Config, sources []source) error {
	if _, err := r.ingest.Table(ingestSources(sources, r.set.Definitions())); err != nil {
		return err
	}
	if err := r.set.Redefine(ctx, definitions(sources), generations.Policy(cfg.Rebuild.OnDefinitionChange)); err != nil {
		return r.notPut(err)
	}
	// Once more, for another generation may have taken over before Redefine had its turn.
	table, err := r.ingest.Table(ingestSources(sources, r.set.Definitions()))
	if err != nil {
		return err
	}
	r.ingest.Replace(table)
	names := sourceNames(sources)
	r.names.Store(&names)
	r.level.Set(cfg.Log.Level)
	return nil
}

// notPut says what an error of Redefine means. It is tried again for as long as it is the matter.
func (r *reloader) notPut(err error) error {
	next := "it is tried again by itself; what is the matter with the projections: " + r.a.self + " health"
	if errors.Is(err, kv.ErrDamaged) {
		next = "the projections are made anew from the log, and then it comes into force by itself: " + r.a.self + " rebuild status"
	}
	return &failure{fmt.Errorf("%w: %w", errNotPut, err), exitIntegrity, next}
}

// follow lets ingest keep the headers that the serving generation reads, and no
// others, once another one serves.
func (r *reloader) follow() {
	serving := r.set.Status().Serving
	if serving == r.readBy {
		return
	}
	table, err := r.ingest.Table(ingestSources(r.sources, r.set.Definitions()))
	if err != nil {
		r.logger.Error("the headers that are kept could not be changed", slog.Any("error", err))
		return
	}
	r.ingest.Replace(table)
	r.readBy = serving
}

// warn logs warnings that were not there before.
func (r *reloader) warn(warnings []string) {
	for _, w := range warnings {
		if !slices.Contains(r.warned, w) {
			r.logger.Warn(w)
		}
	}
	r.warned = warnings
}

// needRestart says which settings have other values in the file than in force.
func (r *reloader) needRestart(keys []string, asked bool) {
	r.metrics.restarts.Set(float64(len(keys)))
	if len(keys) == 0 {
		r.restart.Store(nil)
		return
	}
	words := strings.Join(keys, ", ")
	if before := r.restart.Swap(&words); before != nil && *before == words && !asked {
		return
	}
	r.logger.Warn("changed in the configuration, and needs a restart: until then the former values are in force", slog.Any("keys", keys))
}

// component is what /readyz says of the configuration. It is no reason not to be ready.
func (r *reloader) component() api.Component {
	c := api.Component{Name: "configuration"}
	if p := r.problem.Load(); p != nil {
		c.Warning = "what stands in the files is not in force: " + *p
	} else if p := r.restart.Load(); p != nil {
		c.Warning = "needs a restart: " + *p
	}
	return c
}
