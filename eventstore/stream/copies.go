package stream

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// silentAfter is how long a server may not be heard of until its copy is taken for missing. In
// good order each is heard of every second, and after ten NATS itself takes it for gone.
const silentAfter = 5 * time.Second

// copies returns how many servers keep the stream and are up, and what is amiss with the others. An
// acknowledged group is on the disks of more than half of the servers that are to keep it.
func copies(info *jetstream.StreamInfo) (n int, amiss string) {
	c := info.Cluster
	if c == nil || c.RaftGroup == "" && c.Desired == nil { // one server alone keeps it
		return 1, ""
	}
	var found []string
	if c.Leader != "" {
		n++
	} else {
		found = append(found, "no server leads it")
	}
	for _, peer := range c.Replicas {
		switch {
		case peer.Offline:
			found = append(found, peer.Name+" is down")
		case !peer.Current && peer.Active > silentAfter:
			found = append(found, peer.Name+" is not heard of")
		default:
			n++
		}
	}
	if d := c.Desired; d != nil { // the new ones have not caught up
		text := "copies are being made or moved"
		if d.Status != nil {
			text += ": " + d.Status.Description
		}
		found = append(found, text)
		if d.Origin != nil {
			n = min(n, d.Origin.Replicas)
		}
	}
	return max(1, min(n, info.Config.Replicas)), strings.Join(found, ", ")
}

// forming says whether the cluster still works on where the copies are to be.
func forming(info *jetstream.StreamInfo) bool {
	c := info.Cluster
	return c != nil && (c.Leader == "" || c.Desired != nil)
}

// awaitCopies gives the cluster a moment to place the copies of a stream just made or changed, so that
// Durability has something to tell. It waits for none to catch up.
func (l *Log) awaitCopies(ctx context.Context, lk *link) {
	if l.opts.embedded() {
		return
	}
	ctx, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	for {
		if info, err := l.streamInfo(ctx, lk); err == nil && !forming(info) {
			return
		}
		pause := time.NewTimer(lookPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

// tellCopies logs when a copy goes missing and when all are there again.
func (l *Log) tellCopies(info *jetstream.StreamInfo) {
	n, amiss := copies(info)
	was := l.amiss.Swap(&amiss)
	switch {
	case amiss != "" && (was == nil || *was != amiss):
		l.opts.Logger.Warn("copies of the log are missing: what is stored now is kept by fewer servers",
			slog.Any("copies", n), slog.Any("wanted", info.Config.Replicas), slog.Any("because", amiss))
	case amiss == "" && was != nil && *was != "":
		l.opts.Logger.Info("all copies of the log are there again", slog.Any("copies", n))
	}
}
