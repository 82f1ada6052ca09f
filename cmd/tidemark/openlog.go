package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// serverPatience is how long an external server is waited for at the start: where
// both are started together, either may be first.
const serverPatience = time.Minute

// openLog opens the log, and waits for an external server that is not there yet.
func openLog(ctx context.Context, o stream.Options, logger *slog.Logger) (*stream.Log, error) {
	if o.URL == "" {
		return stream.Open(ctx, o)
	}
	wait := &backoff.ExponentialBackOff{InitialInterval: 250 * time.Millisecond, RandomizationFactor: 0.2, Multiplier: 1.5, MaxInterval: 3 * time.Second}
	said := false
	return backoff.Retry(ctx, func() (*stream.Log, error) {
		log, err := stream.Open(ctx, o)
		if err != nil && !errors.Is(err, eventstore.ErrUnavailable) {
			return nil, backoff.Permanent(err)
		}
		if err != nil && !said {
			said = true
			logger.Warn("waiting for the NATS server", slog.Any("at_most", serverPatience), slog.Any("error", err))
		}
		return log, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(serverPatience))
}
