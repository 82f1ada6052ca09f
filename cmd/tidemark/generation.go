package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// generation is one complete set of projections in a directory of its own,
// projections/g000001 and so on. A directory that is damaged, or of another version, is
// left as it is, and the next one is filled from the log: it can give everything back.
type generation struct {
	path      string
	db        *kv.DB
	projector *projections.Projector
}

// damagedMark is the suffix of a file beside a directory that turned out to be
// damaged while it was in use: the next start does not open it again.
const damagedMark = ".damaged"

// openGeneration opens the latest generation under dir, or begins the next one.
func (a *app) openGeneration(dir string, cache int64, defs map[string]*providers.Definition, logger *slog.Logger) (*generation, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the projections: %w", err)
	}
	number, err := latestGeneration(dir)
	if err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		g, err := a.openOne(filepath.Join(dir, fmt.Sprintf("g%06d", number)), cache, defs, logger)
		if err == nil {
			return g, nil
		}
		if !first || !errors.Is(err, kv.ErrDamaged) && !errors.Is(err, projections.ErrOtherVersion) {
			return nil, err
		}
		number++
		logger.Warn("the projections cannot be used and are made anew from the log, in a directory beside them; the old one can be deleted",
			"error", err, "new", fmt.Sprintf("g%06d", number))
	}
}

// latestGeneration is the highest number there is, 1 where there is none.
func latestGeneration(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("look for projections: %w", err)
	}
	latest := 1
	for _, e := range entries {
		var n int
		if _, err := fmt.Sscanf(e.Name(), "g%06d", &n); err == nil && e.IsDir() && e.Name() == fmt.Sprintf("g%06d", n) {
			latest = max(latest, n)
		}
	}
	return latest, nil
}

func (a *app) openOne(path string, cache int64, defs map[string]*providers.Definition, logger *slog.Logger) (*generation, error) {
	if _, err := os.Stat(path + damagedMark); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("%w: %s was found damaged while it was in use", kv.ErrDamaged, path), err)
	}
	db, err := kv.Open(path, kv.Options{CacheBytes: cache, Log: logger.With("component", "projections"),
		Fatal: func(err error) { os.Exit(storeFailed(a.stderr, path, err)) }})
	if err != nil {
		return nil, err
	}
	p, err := projections.NewProjector(db, defs)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &generation{path: path, db: db, projector: p}, nil
}

// storeFailed tells why the projections' store cannot go on, and returns the exit
// code. Nothing that was acknowledged is lost: the log has it.
func storeFailed(stderr io.Writer, path string, err error) int {
	f := &failure{fmt.Errorf("the projections in %s cannot go on: %w", path, err), exitError,
		"nothing that was acknowledged is lost; see to the disk (space, dmesg) and start again"}
	if text := strings.ToLower(err.Error()); strings.Contains(text, "corrupt") || strings.Contains(text, "checksum") {
		f.code = exitIntegrity
		f.next = "nothing that was acknowledged is lost; start again, and the projections are made anew from the log"
		if err := os.WriteFile(path+damagedMark, nil, 0o600); err != nil {
			f.next = "nothing that was acknowledged is lost; delete " + path + " and start again: the log gives it back"
		}
	}
	return report(stderr, f)
}

// close ends the projections; what was applied is on disk then.
func (g *generation) close() error { return errors.Join(g.projector.Close(), g.db.Close()) }

// register adds the metrics of the directory.
func (g *generation) register(reg prometheus.Registerer) error {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		gauge("tidemark_projection_position", "Last position of the log that is applied.", func() float64 {
			v, err := projections.NewView(g.db)
			if err != nil {
				return 0
			}
			defer func() { _ = v.Close() }()
			return float64(v.Checkpoint().Position)
		}),
		gauge("tidemark_projection_disk_bytes", "Space that the projections take on disk.", func() float64 { return float64(g.db.Metrics().DiskBytes) }),
		gauge("tidemark_projection_memory_bytes", "Memory of recent writes and of cached blocks.", func() float64 {
			m := g.db.Metrics()
			return float64(m.MemTables) + float64(m.CacheBytes)
		}),
	} {
		errs = append(errs, reg.Register(c))
	}
	return errors.Join(errs...)
}
