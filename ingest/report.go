package ingest

import (
	"log/slog"
	"net/http"
)

// maxReason bounds how much of a reason is logged: a part of it may be the sender's words.
const maxReason = 512

// report counts an outcome other than a plain 200 and logs it, at a bounded
// rate for each source: a sender with a wrong secret, or an attacker, must not fill
// the disk with log. The URL is never logged: it may hold a token.
func (h *Handler) report(r *http.Request, src *source, out outcome, why error) {
	a := answers[out]
	h.metrics.requests.WithLabelValues(src.name, a.label).Inc()
	level := slog.LevelDebug
	if a.status == http.StatusUnauthorized || a.status == http.StatusServiceUnavailable || out == storedUndecoded {
		level = slog.LevelWarn
	}
	ctx := r.Context()
	if !h.logger.Enabled(ctx, level) {
		return
	}
	if !src.limit.AllowN(h.now(), 1) {
		src.unsaid.Add(1)
		return
	}
	attrs := []slog.Attr{slog.String("source", src.name), slog.String("outcome", a.label), slog.String("remote", r.RemoteAddr)}
	if why != nil {
		reason := why.Error()
		if len(reason) > maxReason {
			reason = reason[:maxReason] + "…"
		}
		attrs = append(attrs, slog.String("reason", reason))
	}
	if n := src.unsaid.Swap(0); n > 0 {
		attrs = append(attrs, slog.Int64("unsaid", n))
	}
	msg := "webhook refused"
	if out == storedUndecoded {
		msg = "webhook stored as it came: it could not be decoded"
	}
	h.logger.LogAttrs(ctx, level, msg, attrs...)
}
