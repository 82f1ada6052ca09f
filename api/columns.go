package api

import (
	"strconv"
	"strings"
	"time"
)

// The columns of CSV exports: existing names never change, and new ones come last.

var connectionColumns = []column[State]{
	{"source", func(s *State) string { return s.Source }},
	{"connection", func(s *State) string { return s.Connection }},
	{"health", func(s *State) string { return s.Health }},
	{"health_reason", func(s *State) string { return s.HealthReason }},
	{"lifecycle", func(s *State) string { return s.Lifecycle.Value }},
	{"lifecycle_since", func(s *State) string { return optionalTime(s.Lifecycle.Since) }},
	{"connectivity", func(s *State) string { return s.Connectivity.Value }},
	{"connectivity_since", func(s *State) string { return optionalTime(s.Connectivity.Since) }},
	{"auth", func(s *State) string { return s.Auth.Value }},
	{"auth_since", func(s *State) string { return optionalTime(s.Auth.Since) }},
	{"auth_expires_at", func(s *State) string { return optionalTime(s.Auth.ExpiresAt) }},
	{"sync", func(s *State) string { return s.Sync.Value }},
	{"sync_since", func(s *State) string { return optionalTime(s.Sync.Since) }},
	{"last_success_at", func(s *State) string { return optionalTime(s.Sync.LastSuccessAt) }},
	{"last_failure_at", func(s *State) string { return optionalTime(s.Sync.LastFailureAt) }},
	{"consecutive_failures", func(s *State) string { return number(s.Sync.ConsecutiveFailures) }},
	{"error", func(s *State) string { return s.Error.Value }},
	{"error_since", func(s *State) string { return optionalTime(s.Error.Since) }},
	{"first_event_at", func(s *State) string { return optionalTime(s.FirstEventAt) }},
	{"last_event_at", func(s *State) string { return optionalTime(s.LastEventAt) }},
	{"last_received_at", func(s *State) string { return optionalTime(s.LastReceived) }},
	{"events", func(s *State) string { return number(s.Counts.Events) }},
	{"duplicates", func(s *State) string { return number(s.Counts.Duplicates) }},
	{"conflicts", func(s *State) string { return number(s.Counts.Conflicts) }},
	{"late", func(s *State) string { return number(s.Counts.Late) }},
	{"position", func(s *State) string { return number(s.Position) }},
}

var entryColumns = []column[Entry]{
	{"effective_at", func(e *Entry) string { return wordTime(e.EffectiveAt) }},
	{"occurred_at", func(e *Entry) string { return optionalTime(e.OccurredAt) }},
	{"received_at", func(e *Entry) string { return wordTime(e.ReceivedAt) }},
	{"time_source", func(e *Entry) string { return e.TimeSource }},
	{"type", func(e *Entry) string { return e.Type }},
	{"flags", func(e *Entry) string { return strings.Join(e.Flags, " ") }},
	{"deliveries", func(e *Entry) string { return number(e.Deliveries) }},
	{"lifecycle", func(e *Entry) string { return e.Sets["lifecycle"] }},
	{"connectivity", func(e *Entry) string { return e.Sets["connectivity"] }},
	{"auth", func(e *Entry) string { return e.Sets["auth"] }},
	{"sync", func(e *Entry) string { return e.Sets["sync"] }},
	{"error", func(e *Entry) string { return e.Sets["error"] }},
	{"reason", func(e *Entry) string { return e.Detail.Reason }},
	{"code", func(e *Entry) string { return e.Detail.Code }},
	{"message", func(e *Entry) string { return e.Detail.Message }},
	{"request_id", func(e *Entry) string { return e.Detail.RequestID }},
	{"expires_at", func(e *Entry) string { return optionalTime(e.Detail.ExpiresAt) }},
	{"event", func(e *Entry) string { return e.Event }},
	{"position", func(e *Entry) string { return number(e.Position) }},
}

var quarantineColumns = []column[Quarantine]{
	{"event", func(q *Quarantine) string { return q.Event }},
	{"source", func(q *Quarantine) string { return q.Source }},
	{"received_at", func(q *Quarantine) string { return wordTime(q.ReceivedAt) }},
	{"code", func(q *Quarantine) string { return q.Code }},
	{"reason", func(q *Quarantine) string { return q.Reason }},
	{"position", func(q *Quarantine) string { return number(q.Position) }},
	{"index", func(q *Quarantine) string { return number(uint64(q.Index)) }},
}

var correctionColumns = []column[Correction]{
	{"facet", func(c *Correction) string { return c.Facet }},
	{"from", func(c *Correction) string { return wordTime(c.From) }},
	{"to", func(c *Correction) string { return optionalTime(c.To) }},
	{"was", func(c *Correction) string { return c.Was }},
	{"is", func(c *Correction) string { return c.Is }},
	{"learned_at", func(c *Correction) string { return wordTime(c.LearnedAt) }},
	{"event", func(c *Correction) string { return c.Event }},
	{"type", func(c *Correction) string { return c.Type }},
}

func optionalTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return wordTime(*t)
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }
