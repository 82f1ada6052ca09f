package connections

import (
	"fmt"
	"strings"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// Health sums up a connection's facets. The numbers are stored in index keys.
type Health byte

// The healths, in the order in which they are tried: the first that holds is the connection's.
const (
	Disconnected Health = iota + 1
	Paused
	ActionRequired
	Offline
	Failing
	Expiring
	Healthy
	Unknown
	NumHealths = int(Unknown)
)

var healthNames = [...]string{"", "disconnected", "paused", "action_required", "offline", "failing", "expiring", "healthy", "unknown"}

// String returns the contract's word.
func (h Health) String() string { return healthNames[h] }

// ParseHealth returns the health of that name.
func ParseHealth(name string) (Health, bool) {
	for i, n := range healthNames {
		if i > 0 && n == name {
			return Health(i), true
		}
	}
	return 0, false
}

// HealthNames returns all healths, in the order in which they are tried.
func HealthNames() []string { return healthNames[1:] }

// healthOf returns the first health that holds for the facets' values.
func healthOf(v [providers.NumFacets]providers.Value) Health {
	switch {
	case v[providers.Lifecycle] == providers.LifecycleDisconnected:
		return Disconnected
	case v[providers.Lifecycle] == providers.LifecyclePaused:
		return Paused
	case v[providers.Auth] == providers.AuthRequired:
		return ActionRequired
	case v[providers.Connectivity] == providers.ConnectivityOffline:
		return Offline
	case v[providers.Sync] == providers.SyncFailed, v[providers.Error] == providers.ErrorOpen:
		return Failing
	case v[providers.Auth] == providers.AuthExpiring:
		return Expiring
	case v[providers.Connectivity] == providers.ConnectivityOnline, v[providers.Sync] == providers.SyncSucceeded:
		return Healthy
	}
	return Unknown
}

// healthReason says in a few words why the health is what it is, "" where there is nothing to add.
func healthReason(h Health, s *State) string {
	switch h {
	case Disconnected, Paused:
		return because("connection "+s.Lifecycle.Value, s.Lifecycle.Reason)
	case ActionRequired:
		return because("auth required", s.Auth.Reason)
	case Offline:
		return because("offline", s.Connectivity.Reason)
	case Expiring:
		if s.Auth.ExpiresAt != nil {
			return because("credentials expire at "+s.Auth.ExpiresAt.Format("2006-01-02T15:04:05Z07:00"), s.Auth.Reason)
		}
		return because("credentials expire soon", s.Auth.Reason)
	case Failing:
		if s.Sync.Value != "failed" {
			return because("error open", s.Error.Failure.words())
		}
		what := "sync failed"
		if s.Sync.ConsecutiveFailures > 1 {
			what = fmt.Sprintf("sync failed %d times in a row", s.Sync.ConsecutiveFailures)
		}
		if s.Sync.Error == nil {
			return what
		}
		return because(what, s.Sync.Error.words())
	}
	return ""
}

func because(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}

func (f Failure) words() string {
	return strings.TrimSpace(f.Code + " " + f.Message)
}
