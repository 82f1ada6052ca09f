package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
	"github.com/tidemark-dev/tidemark/ingest"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/internal/config"
	"github.com/tidemark-dev/tidemark/internal/keys"
	"github.com/tidemark-dev/tidemark/projections/generations"
)

// serveConfig reads the configuration, lays the flags over it and checks the whole.
func (a *app) serveConfig(f *serveFlags) (*config.Config, error) {
	cfg, err := a.loadConfig(f.config)
	if err != nil {
		return nil, err
	}
	for flag, key := range map[*string]*string{&f.listen: &cfg.Listen, &f.ingestListen: &cfg.IngestListen, &f.dataDir: &cfg.DataDir, &f.logFormat: &cfg.Log.Format} {
		if *flag != "" {
			*key = *flag
		}
	}
	if f.logLevel != "" {
		if err := cfg.Log.Level.UnmarshalText([]byte(f.logLevel)); err != nil {
			return nil, usage(fmt.Errorf("--log-level: %q is no level", f.logLevel), "one of: debug, info, warn, error")
		}
	}
	if err := cfg.Validate(); err != nil {
		return nil, usage(err, "what each key means: docs/CONFIG.md")
	}
	if err := cfg.CheckExposure(f.insecureNoAuth); err != nil {
		return nil, usage(err, "make a first key:   "+a.self+" keys create NAME --file keys.yaml\n"+
			"and name the file in tidemark.yaml:   auth: {keys_file: keys.yaml}")
	}
	return cfg, nil
}

// openKeys opens the API keys; nil where none are configured.
func (a *app) openKeys(cfg *config.Config, logger *slog.Logger) (*keys.Ring, error) {
	if cfg.Auth.KeysFile == "" {
		return nil, nil
	}
	ring, err := keys.Open(cfg.Auth.KeysFile, a.now, logger)
	if err != nil {
		return nil, usage(err, "make a first key: "+a.self+" keys create NAME --file "+shellQuote(cfg.Auth.KeysFile))
	}
	return ring, nil
}

func logOptions(a *app, cfg *config.Config, f *serveFlags, logger *slog.Logger, metrics prometheus.Registerer) stream.Options {
	return stream.Options{
		Dir: filepath.Join(cfg.DataDir, "log"), NoSync: f.unsafeNoSync, OpenDamaged: f.openDamaged,
		URL: string(cfg.NATS.URL), Credentials: cfg.NATS.Credentials,
		TLSCA: cfg.NATS.TLS.CA, TLSCert: cfg.NATS.TLS.Cert, TLSKey: cfg.NATS.TLS.Key,
		MonitorURLs: cfg.NATS.MonitorURLs, Replicas: cfg.NATS.Replicas, MaxStore: cfg.NATS.StorageLimit, LowWater: cfg.Disk.LowWater,
		MaxWaiting: cfg.Limits.Waiting, MaxWaitingBytes: int(cfg.Limits.InFlight),
		Now: a.now, Logger: logger, Metrics: metrics,
	}
}

// logFailed says what a log that does not open means.
func logFailed(ctx context.Context, err error, cfg *config.Config) error {
	switch {
	case ctx.Err() != nil:
		return nil // a signal, while the server was waited for
	case errors.Is(err, eventstore.ErrIntegrity):
		dir := filepath.Join(cfg.DataDir, "log")
		return &failure{err, exitIntegrity, "the log in " + dir + " is not what it was: restore it before you start again, and look at the disk (dmesg, smartctl)\n" +
			"without another copy: copy " + cfg.DataDir + " aside, and start with --open-damaged-log: it answers from what can be read, and takes no webhooks where the end is lost"}
	case errors.Is(err, eventstore.ErrUnavailable) && cfg.NATS.URL != "":
		return &failure{err, exitUnreachable, "it was waited for in vain: is the NATS server of nats.url running, with JetStream, and reachable from here?"}
	}
	return err
}

func listenFailed(err error, address string, others []*listening) error {
	for _, o := range others {
		_ = o.listener.Close() // nobody was ever told of it
	}
	next := ""
	if errors.Is(err, syscall.EADDRINUSE) {
		next = "another program has it, perhaps another tidemark; choose another address: --listen 127.0.0.1:0"
	}
	return &failure{fmt.Errorf("cannot listen on %s: %w", address, err), exitError, next}
}

// closeAfter closes a part at the end and logs what goes wrong: the process ends either way.
func closeAfter(logger *slog.Logger, part string, close func() error) {
	if err := close(); err != nil {
		logger.Error("closing failed", slog.Any("part", part), slog.Any("error", err))
	}
}

// ingestSources are the sources as ingest takes them. read are the definitions that the
// serving generation reads events by: the headers that it needs are kept too.
func ingestSources(sources []source, read map[string]*providers.Definition) []ingest.Source {
	var out []ingest.Source
	for i := range sources {
		one := sources[i].ingest()
		if d := read[one.Name]; d != nil {
			one.Headers = union(one.Headers, d.MappedHeaders())
		}
		out = append(out, one)
	}
	return out
}

func definitions(sources []source) map[string]*providers.Definition {
	out := map[string]*providers.Definition{}
	for _, s := range sources {
		out[s.Name] = s.def
	}
	return out
}

func sourceNames(sources []source) []string {
	var out []string
	for _, s := range sources {
		out = append(out, s.Name)
	}
	return out
}

// union is a list of headers with those of another that it lacks.
func union(list, more []string) []string {
	out := append([]string(nil), list...)
	for _, h := range more {
		if !containsFold(out, h) {
			out = append(out, h)
		}
	}
	return out
}

func containsFold(list []string, s string) bool {
	for _, o := range list {
		if strings.EqualFold(o, s) {
			return true
		}
	}
	return false
}

// newLogger returns what serve logs through, from level on: text on a terminal, JSON elsewhere.
func (a *app) newLogger(l config.Log, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "text" || l.Format == "auto" && isTerminal(a.stderr) {
		return slog.New(slog.NewTextHandler(a.stderr, o))
	}
	return slog.New(slog.NewJSONHandler(a.stderr, o))
}

// readiness is what /readyz says of the parts.
func readiness(log *stream.Log, gate *gate, set *generations.Set, r *reloader) []api.Component {
	acceptance := gate.closed()
	if acceptance == nil {
		acceptance = log.Health()
	}
	return []api.Component{{Name: "acceptance", Err: acceptance}, {Name: "projection", Err: set.Err()}, r.component()}
}
