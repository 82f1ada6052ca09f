package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest"
	"github.com/tidemark-dev/tidemark/internal/config"
	"github.com/tidemark-dev/tidemark/internal/keys"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/generations"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// serveFlags are the flags of serve. What is set goes over the configuration.
type serveFlags struct {
	config, listen, ingestListen, dataDir, logLevel, logFormat string
	insecureNoAuth, unsafeNoSync, openDamaged                  bool
	lookEvery                                                  time.Duration
}

func newServe(a *app) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server: receive webhooks, keep them, answer for the state",
		Long: `Run the server. Without a configuration it listens on 127.0.0.1:8080, keeps everything in
./tidemark-data, and has one source, makini, whose secret it makes on the first start.

SIGHUP reads the configuration and the definitions anew, and so does a change of their files: secrets,
sources and definitions come into force at once. A file that is wrong leaves everything as it was.

It prints "listening on http://ADDR" when it is ready. SIGTERM or Ctrl-C finishes what was begun and
ends with 0 within 10 seconds; a second one ends it at once.`,
		Example: "  tidemark serve\n  tidemark serve -c /etc/tidemark/tidemark.yaml\n  tidemark serve --listen 127.0.0.1:0 --data-dir /tmp/try",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("server") || cmd.Flags().Changed("key") {
				return usage(errors.New("--server and --key are for commands that talk to a server, and serve is one"), "the address to listen on: --listen 127.0.0.1:8080")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			defer context.AfterFunc(ctx, stop)() // from then on a signal ends the process
			hangups, stopHangups := a.catchHangups()
			defer stopHangups()
			return a.serve(ctx, &f, hangups)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.config, "config", "c", "", "configuration (default: ./tidemark.yaml, else built-in defaults)")
	fs.StringVar(&f.listen, "listen", "", "address of the API and of ingest (default: 127.0.0.1:8080); port 0 picks one")
	fs.StringVar(&f.ingestListen, "ingest-listen", "", "another address that serves /in/ alone")
	fs.StringVar(&f.dataDir, "data-dir", "", "where everything is kept (default: ./tidemark-data)")
	fs.StringVar(&f.logLevel, "log-level", "", "debug, info, warn or error")
	fs.StringVar(&f.logFormat, "log-format", "", "text, json or auto: text on a terminal, json elsewhere")
	fs.BoolVar(&f.insecureNoAuth, "insecure-no-auth", false, "serve the API on a public address without keys")
	fs.BoolVar(&f.unsafeNoSync, "unsafe-no-sync", false, "acknowledge webhooks before they are on disk: a power cut loses them (for tests)")
	_ = fs.MarkHidden("unsafe-no-sync")
	fs.DurationVar(&f.lookEvery, "look-every", 2*time.Second, "time between two looks at whether the configuration's files have changed (for tests)")
	_ = fs.MarkHidden("look-every")
	fs.BoolVar(&f.openDamaged, "open-damaged-log", false, "start on a log whose files are damaged, which cuts them off there: copy the data directory aside first")
	return cmd
}

// serve is the whole program, from top to bottom:
//
//	config ─► data directory ─► secrets ─► log ─► projections ─► ingest, api ─► listeners ─► run
//
// What is opened first is closed last. Nothing runs before run: until then each
// part only opens its files, and an error is an error of the start.
func (a *app) serve(ctx context.Context, f *serveFlags, hangups hangups) error {
	// Configuration: the file, the flags over it, and what may not be.
	cfg, err := a.serveConfig(f)
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(cfg.Log.Level)
	logger := a.newLogger(cfg.Log, level)
	for _, w := range cfg.Warnings {
		logger.Warn(w)
	}
	rebuildCores := a.tuneProcessors()
	a.tuneMemory(cfg.Memory)

	// Data directory: one process at a time.
	lock, err := config.LockDir(cfg.DataDir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // the kernel frees it in any case

	// Secrets: the generated one is made here, on the first start, and so is the key to redact with.
	secretMade, err := makeSecrets(cfg)
	if err != nil {
		return err
	}
	sources, err := openSources(cfg)
	if err != nil {
		return err
	}
	ring, err := a.openKeys(cfg, logger)
	if err != nil {
		return err
	}

	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	// What was read so far is read anew when it changes.
	again, err := newReloader(a, f, cfg, sources, level, logger, metrics)
	if err != nil {
		return err
	}

	// The log of record: embedded JetStream, or an external one by URL.
	log, err := openLog(ctx, logOptions(a, cfg, f, logger, metrics), logger)
	if err != nil {
		return logFailed(ctx, err, cfg)
	}
	defer closeAfter(logger, "log", log.Close)

	// Projections: what the log says, in Pebble. A damaged directory is left
	// alone, and a new one is filled from the log beside it; with changed definitions
	// the old one serves while a new one is made.
	hub, served := projections.NewHub(0), newServed(a.now)
	set, err := generations.Open(generations.Options{
		Root: filepath.Join(cfg.DataDir, "projections"), KV: kv.Options{CacheBytes: cfg.Memory.Cache, MemTableBytes: memTable, Log: logger.With(slog.Any("component", "projections"))},
		Log: log, Definitions: definitions(sources), Now: a.now, Logger: logger.With(slog.Any("component", "projections")), Metrics: projections.NewMetrics(metrics),
		Hub: hub, OnChange: generations.Policy(cfg.Rebuild.OnDefinitionChange), Room: room(cfg, a.now), Cores: rebuildCores, Aside: stepAside, Rest: served.rest, Beside: a.besideRebuild,
		Fatal: func(path string, err error) { os.Exit(storeFailed(a.stderr, path, err)) },
	})
	if err != nil {
		return err
	}
	defer closeAfter(logger, "projections", set.Close)
	if err := registerProjections(set, metrics); err != nil {
		return err
	}

	// A log that is not the one that was read before takes no event: what it
	// would store could stand where another event stood.
	// An external server that is out of reach just now is asked before the first event.
	read := set.Checkpoint()
	log.Expect(eventstore.Position(read.Position), read.GroupID)
	gate := &gate{log: log, failing: set.Err}
	err = set.CheckTail(ctx)
	if !errors.Is(err, eventstore.ErrIntegrity) {
		err = log.CheckHead(ctx)
	}
	if errors.Is(err, eventstore.ErrIntegrity) {
		gate.shut(err)
		logger.Error("webhooks are refused and the projection stands still: the log is damaged; queries go on", slog.Any("error", err))
	}

	// Ingest: verify, append, answer.
	in, err := ingest.New(ingest.Options{
		Log: gate, Sources: ingestSources(sources, set.Definitions()), Now: a.now, Logger: logger.With(slog.Any("component", "ingest")),
		Metrics: metrics, InFlight: cfg.Limits.InFlight})
	if err != nil {
		return err
	}

	// API: queries over the projections, with bodies from the log.
	queries := api.New(api.Options{
		View: set.View,
		Hub:  hub, Rebuilds: set,
		Log:     log,
		Ready:   func(context.Context) []api.Component { return readiness(log, gate, set, again) },
		Pending: gate.pending,
		Sources: again.sourceNames,
		Access:  func(next http.Handler) http.Handler { return keys.Require(ring, keys.Read, next) },
		Admin:   func(next http.Handler) http.Handler { return keys.Require(ring, keys.Admin, next) },
		// Without keys a page in somebody's browser must not read it by another name.
		OnlyLocal: ring == nil && !f.insecureNoAuth,
		Version:   readBuild().Version,
		Now:       a.now, Logger: logger.With(slog.Any("component", "api")), Registerer: metrics, Gatherer: metrics,
	})

	// Listeners: one for everything, and one for webhooks alone where it is asked for.
	bound, err := ingest.NewConnections(cfg.Limits.MaxConnections(), cfg.Limits.MaxConnectionsPerAddress(), metrics)
	if err != nil {
		return err
	}
	var servers []*listening
	for _, at := range []struct {
		address string
		handler http.Handler
	}{{cfg.Listen, split(in, queries)}, {cfg.IngestListen, in}} {
		if at.address == "" {
			continue
		}
		l, err := net.Listen("tcp", at.address)
		if err != nil {
			return listenFailed(err, at.address, servers)
		}
		servers = append(servers, &listening{l.Addr(), bound.Listen(l), ingest.NewServer(served.note(at.handler), ingest.Timeouts{}, logger.With(slog.Any("component", "http")))})
	}

	again.set, again.ingest = set, in
	p := &program{log: log, set: set, ingest: in, api: queries, servers: servers, logger: logger, gate: gate, reload: again, hangups: hangups}
	return p.run(ctx, func() { a.greet(cfg, sources, servers, log.Durability(), set.Path(), secretMade, f) })
}
