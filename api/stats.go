package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
)

// Stats counts what the server holds and how far it has come.
type Stats struct {
	Connections ConnectionStats `json:"connections"`
	Head        uint64          `json:"head" doc:"Position of the last commit group in the log"`
	Checkpoint  uint64          `json:"checkpoint" doc:"Position of the last commit group that the answers stand on"`
	Lag         Lag             `json:"lag" doc:"What is stored and not applied yet"`
	Pending     Pending         `json:"pending" doc:"What is received and not stored yet"`
	Quarantine  uint64          `json:"quarantine" doc:"Events that the mapping could not place"`
}

// ConnectionStats counts connections.
type ConnectionStats struct {
	Total    uint64            `json:"total"`
	ByHealth map[string]uint64 `json:"by_health" doc:"All healths, those of no connection too"`
	BySource map[string]uint64 `json:"by_source" doc:"All configured sources, and those that have connections still"`
}

// Lag is what is stored and not applied yet.
type Lag struct {
	Events  uint64  `json:"events" doc:"Exact up to 64 commit groups; beyond, an estimate from the first 64"`
	Seconds float64 `json:"seconds" doc:"Age of the oldest of them; 0 where there is none"`
}

// Pending is what waits to be stored: no sender has been told yet that it is.
type Pending struct {
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"`
}

// countedGroups is how many commit groups are read to count the events that
// are not applied yet.
const countedGroups = 64

func (h *Handler) addStats() {
	get(h, huma.Operation{
		OperationID: "get-stats", Path: "/v1/stats", Tags: []string{"server"},
		Summary: "Counts of connections, and how far the answers are behind the log",
	}, h.stats)
}

func (h *Handler) stats(ctx context.Context, _ *struct{}) (*body[Stats], error) {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	s := Stats{Pending: h.o.Pending()}
	err := h.view(func(v *projections.View) error {
		counts, checkpoint := v.Stats(), v.Checkpoint()
		s.Checkpoint, s.Quarantine = checkpoint.Position, counts.Quarantine
		s.Connections = ConnectionStats{Total: counts.Connections, ByHealth: map[string]uint64{}, BySource: map[string]uint64{}}
		for _, name := range connections.HealthNames() {
			s.Connections.ByHealth[name] = counts.ByHealth[name]
		}
		for _, name := range sourcesOf(h.o.Sources(), counts.BySource) {
			s.Connections.BySource[name] = counts.BySource[name]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	head, err := h.o.Log.Head(ctx)
	if err != nil {
		return nil, err
	}
	s.Head = uint64(head)
	s.Lag, err = h.lag(ctx, s.Checkpoint, s.Head)
	return &body[Stats]{s}, err
}

// lag counts the events behind the checkpoint. The log alone knows them, so the
// first commit groups of them are read; where there are more, the rest is taken to be like those.
func (h *Handler) lag(ctx context.Context, checkpoint, head uint64) (Lag, error) {
	var lag Lag
	if head <= checkpoint {
		return lag, nil
	}
	groups := min(head-checkpoint, countedGroups)
	for i := range groups {
		g, err := h.o.Log.At(ctx, eventstore.Position(checkpoint+1+i))
		if err != nil {
			return lag, err
		}
		lag.Events += uint64(len(g.Events))
		if i == 0 && len(g.Events) > 0 {
			lag.Seconds = max(0, h.o.Now().Sub(g.Events[0].ReceivedAt).Seconds())
		}
	}
	lag.Events = lag.Events * (head - checkpoint) / groups
	return lag, nil
}
