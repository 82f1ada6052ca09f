package connections

import (
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// State is what the contract shows of a connection, now or as of an instant.
// Times are UTC; what is not known is left out.
type State struct {
	Source       string      `json:"source" doc:"Configured source"`
	Connection   string      `json:"connection" doc:"The provider's connection id"`
	Health       string      `json:"health" enum:"disconnected,paused,action_required,offline,failing,expiring,healthy,unknown"`
	HealthReason string      `json:"health_reason,omitempty" doc:"Why, in a few words"`
	Lifecycle    FacetState  `json:"lifecycle"`
	Connectivity FacetState  `json:"connectivity"`
	Auth         AuthState   `json:"auth"`
	Sync         SyncState   `json:"sync"`
	Error        ErrorState  `json:"error"`
	FirstEventAt *time.Time  `json:"first_event_at,omitempty" doc:"Effective time of the first event"`
	LastEventAt  *time.Time  `json:"last_event_at,omitempty" doc:"Effective time of the last event"`
	LastReceived *time.Time  `json:"last_received_at,omitempty" doc:"When a delivery for the connection was last received, duplicates included"`
	Counts       EventCounts `json:"counts"`
	Position     uint64      `json:"position" doc:"Last stream position that touched the connection"`
	// AsOf is set on the answer to a question about an earlier instant.
	AsOf *AsOf `json:"as_of,omitempty"`
}

// AsOf names the instant that a state is of, on either clock.
type AsOf struct {
	ValidAt    *time.Time `json:"valid_at,omitempty" doc:"What was true then"`
	KnownAt    *time.Time `json:"known_at,omitempty" doc:"What had been received by then"`
	Checkpoint uint64     `json:"checkpoint" doc:"Position up to which the log was applied when this was answered"`
}

// FacetState is one facet's value and its current run.
type FacetState struct {
	Value string     `json:"value"`
	Since *time.Time `json:"since,omitempty" doc:"Effective time of the first event of the current run of equal values"`
	Event string     `json:"event,omitempty" doc:"That event"`
	// Reason is what the last event that set the facet gave.
	Reason string `json:"reason,omitempty"`
}

// AuthState adds when credentials expire.
type AuthState struct {
	FacetState
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// Failure is an error as the provider tells it.
type Failure struct {
	Code      string `json:"code,omitempty"`
	Message   string `json:"message,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// SyncState adds the outcomes of syncs.
type SyncState struct {
	FacetState
	LastSuccessAt       *time.Time `json:"last_success_at,omitempty"`
	LastFailureAt       *time.Time `json:"last_failure_at,omitempty"`
	ConsecutiveFailures uint64     `json:"consecutive_failures" doc:"Failures since the last success"`
	Error               *Failure   `json:"error,omitempty"`
}

// ErrorState adds what the open error is.
type ErrorState struct {
	FacetState
	Failure
}

// EventCounts counts what was delivered for a connection.
type EventCounts struct {
	Events     uint64 `json:"events" doc:"Distinct events"`
	Duplicates uint64 `json:"duplicates" doc:"Further deliveries of them"`
	Conflicts  uint64 `json:"conflicts" doc:"Further deliveries with other bytes"`
	Late       uint64 `json:"late" doc:"Events that came after one of a later effective time"`
}

// Setter is what a facet's state shows of single events: the first of the
// current run, and why the last one set it.
type Setter struct {
	Event  ulid.ULID
	Detail providers.Detail
}

// Setters holds one Setter a facet.
type Setters [providers.NumFacets]Setter

// StateOf puts together the State that a summary says, with the setters that go with it.
func StateOf(source, id string, sum *timeline.Summary, by *Setters) State {
	s := State{
		Source: source, Connection: id, Position: sum.MaxPosition,
		Counts: EventCounts{Events: sum.Events, Duplicates: sum.Duplicates, Conflicts: sum.Conflicts, Late: sum.Late},
	}
	values := Values(sum)
	facet := func(f providers.Facet) FacetState {
		fs := FacetState{Value: f.ValueName(values[f])}
		if r := &sum.Facets[f]; r.Sets > 0 {
			fs.Since = at(r.Since.Effective)
			fs.Event = by[f].Event.String()
			fs.Reason = by[f].Detail.Reason
		}
		return fs
	}
	s.Lifecycle = facet(providers.Lifecycle)
	s.Connectivity = facet(providers.Connectivity)
	s.Auth.FacetState = facet(providers.Auth)
	if t := by[providers.Auth].Detail.ExpiresAt; !t.IsZero() {
		s.Auth.ExpiresAt = &t
	}
	s.Sync.FacetState = facet(providers.Sync)
	s.Sync.ConsecutiveFailures = sum.Sync.Trailing
	if sum.Sync.Successes > 0 {
		s.Sync.LastSuccessAt = at(sum.Sync.LastSuccess)
	}
	if sum.Sync.Failures > 0 {
		s.Sync.LastFailureAt = at(sum.Sync.LastFailure)
	}
	if f := failureOf(&by[providers.Sync]); f != (Failure{}) && values[providers.Sync] == providers.SyncFailed {
		s.Sync.Error = &f
	}
	s.Error.FacetState = facet(providers.Error)
	if values[providers.Error] == providers.ErrorOpen {
		s.Error.Failure = failureOf(&by[providers.Error])
	}
	if sum.Events > 0 {
		s.FirstEventAt, s.LastEventAt, s.LastReceived = at(sum.First), at(sum.Last), at(sum.MaxReceived)
	}
	h := healthOf(values)
	s.Health, s.HealthReason = h.String(), healthReason(h, &s)
	return s
}

// Values returns each facet's value by a summary: the last one set, or the facet's first ("unknown", "none").
func Values(sum *timeline.Summary) [providers.NumFacets]providers.Value {
	var v [providers.NumFacets]providers.Value
	for f := range sum.Facets {
		v[f] = 1
		if sum.Facets[f].Sets > 0 {
			v[f] = sum.Facets[f].Last
		}
	}
	return v
}

func failureOf(s *Setter) Failure {
	return Failure{Code: s.Detail.Code, Message: s.Detail.Message, RequestID: s.Detail.RequestID}
}

func at(ns int64) *time.Time {
	t := time.Unix(0, ns).UTC()
	return &t
}

// Follow brings the setters from what was to what is: where a facet's run began
// with another event, or another event set it last, find gives that event.
func (s *Setters) Follow(was, is *[providers.NumFacets]timeline.Run, find func(timeline.Key) (*timeline.Entry, error)) error {
	for f := range is {
		if is[f].Sets == 0 {
			continue
		}
		if was[f].Sets == 0 || was[f].Since != is[f].Since {
			e, err := find(is[f].Since)
			if err != nil {
				return err
			}
			s[f].Event = e.Event
		}
		if was[f].Sets == 0 || was[f].LastKey != is[f].LastKey {
			e, err := find(is[f].LastKey)
			if err != nil {
				return err
			}
			s[f].Detail = e.Detail
		}
	}
	return nil
}
