package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// Durability says what an acknowledgement is worth, as the running server last told:
// at the start, and every ProbeAfter since.
func (l *Log) Durability() eventstore.Durability { return *l.durability.Load() }

// readDurability asks the running server.
func (l *Log) readDurability(ctx context.Context, lk *link, info *jetstream.StreamInfo) eventstore.Durability {
	d := eventstore.Durability{Kind: "external"}
	d.Replicas, _ = copies(info)
	if lk.server != nil {
		d.Kind, d.Known = "embedded", true
		d.SyncAlways, d.SyncInterval = lk.server.sync()
		return d
	}
	settings := make(map[string]syncSetting)
	for _, url := range l.opts.MonitorURLs {
		s, err := readMonitor(ctx, url)
		if err != nil {
			l.opts.Logger.Debug("the server's monitoring address does not answer", slog.Any("url", url), slog.Any("error", err))
			continue
		}
		settings[s.ServerName] = s
	}
	// The setting is known if every server that keeps a copy has told its own.
	names := keepers(lk, info)
	d.Known = len(names) > 0
	d.SyncAlways = d.Known
	for _, name := range names {
		s, told := settings[name]
		config := s.JetStream.Config
		if !told || config == nil {
			d.Known, d.SyncAlways, d.SyncInterval = false, false, ""
			break
		}
		d.SyncAlways = d.SyncAlways && config.SyncAlways
		if word := syncWord(config.SyncAlways, config.SyncInterval); d.SyncInterval == "" || !config.SyncAlways {
			d.SyncInterval = word
		}
	}
	return d
}

// keepers names the servers that keep a copy of the stream, none while a cluster is not settled about it.
func keepers(lk *link, info *jetstream.StreamInfo) []string {
	if info.Cluster == nil {
		return []string{lk.nc.ConnectedServerName()}
	}
	if info.Cluster.Leader == "" || forming(info) {
		return nil
	}
	names := []string{info.Cluster.Leader}
	for _, peer := range info.Cluster.Replicas {
		names = append(names, peer.Name)
	}
	return names
}

// syncSetting is the part of a server's /varz that says how it syncs.
type syncSetting struct {
	ServerName string `json:"server_name"`
	JetStream  struct {
		Config *struct {
			SyncAlways   bool          `json:"sync_always"`
			SyncInterval time.Duration `json:"sync_interval"`
		} `json:"config"`
	} `json:"jetstream"`
}

// readMonitor asks a server's monitoring address.
func readMonitor(ctx context.Context, url string) (s syncSetting, err error) {
	ctx, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/varz", nil)
	if err != nil {
		return s, err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return s, fmt.Errorf("it answers %s", answer.Status)
	}
	return s, json.NewDecoder(io.LimitReader(answer.Body, mib)).Decode(&s)
}
