package stream

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// embeddedPayload is the largest message of the embedded server: above 8 MiB it warns.
	embeddedPayload = 8 * mib
	// embeddedMemory bounds what the server keeps in memory stores: there are none but
	// the small ones of cursors.
	embeddedMemory = 64 * mib
	// probeStore is what the probe's stream may take.
	probeStore = 1 * mib
	// startTimeout is how long a server that has started may take to accept connections.
	startTimeout = 10 * time.Second
)

// embedded is a NATS server in this process. It opens no port and handles no signals.
type embedded struct {
	srv *server.Server
	log *serverLog
}

// startEmbedded starts a server on dir that keeps at most maxStore bytes.
func startEmbedded(dir string, noSync bool, maxStore int64, log *slog.Logger) (*embedded, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName:             "tidemark",
		DontListen:             true,
		NoSigs:                 true,
		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               dir,
		SyncAlways:             !noSync,
		JetStreamMaxStore:      maxStore + probeStore,
		JetStreamMaxMemory:     embeddedMemory,
		MaxPayload:             embeddedPayload,
	})
	if err != nil {
		return nil, fmt.Errorf("embedded server: %w", err)
	}
	e := &embedded{srv: srv, log: &serverLog{log: log.With(slog.Any("component", "nats-server"))}}
	srv.SetLoggerV2(e.log, false, false, false)
	// Start returns when the streams are recovered, or when it has logged what is fatal.
	srv.Start()
	if e.log.fatal.Load() != nil || !srv.ReadyForConnections(startTimeout) || !srv.JetStreamEnabled() {
		e.stop()
		return nil, fmt.Errorf("embedded server on %s: %w", dir, e.log.startError())
	}
	return e, nil
}

// stop shuts the server down and waits until it has let go of its files.
func (e *embedded) stop() {
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
}

// alive says whether the server still runs its streams.
func (e *embedded) alive() bool { return e.srv.Running() && e.srv.JetStreamEnabled() }

// sync reads the setting back from the running server.
func (e *embedded) sync() (always bool, word string) {
	config := e.srv.JetStreamConfig()
	if config == nil {
		return false, ""
	}
	return config.SyncAlways, syncWord(config.SyncAlways, config.SyncInterval)
}

// syncWord is the server's word for its sync setting.
func syncWord(always bool, interval time.Duration) string {
	if always {
		return "always"
	}
	return interval.String()
}
