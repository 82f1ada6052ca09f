package main

import (
	"fmt"
	"time"
)

// instant is a time in a table: UTC, to the millisecond, in the form that --from and --to take.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.999Z07:00")
}

// exact is a time in data: UTC, with all its digits.
func exact(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// deref is the time that t points at, the zero time where there is none.
func deref(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// span is a length of time in two units at the most: 12s, 5m30s, 3h10m, 41d6h.
func span(d time.Duration) string {
	minus := ""
	if d < 0 {
		minus, d = "-", -d
	}
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%s%ds", minus, d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%s%dm%ds", minus, d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%s%dh%dm", minus, d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%s%dd%dh", minus, d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// parseInstant reads a time of a flag: RFC 3339, or how long ago (2h, 90s, 7d).
func (a *app) parseInstant(flag, s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC(), nil
	}
	var days int
	if n, err := fmt.Sscanf(s+"\n", "%dd\n", &days); n == 1 && err == nil && days >= 0 && days < 100_000 {
		return a.now().UTC().AddDate(0, 0, -days), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return a.now().UTC().Add(-d), nil
	}
	return time.Time{}, usage(fmt.Errorf("--%s: %q is no time", flag, s), "write 2026-03-01T12:00:00Z, or how long ago: 2h, 90s, 7d")
}
