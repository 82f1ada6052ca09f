package api

import (
	"net/http"
	"time"
)

// drainTime is what exports under way are given once the server stops. It is
// less than what the server waits for all requests.
const drainTime = 4 * time.Second

// Drain ends watches at once, and exports that are not through in a few
// seconds: visibly, so that a part is not taken for the whole. Clients of a watch come back
// by themselves. Other requests are short. Call it before http.Server.Shutdown, which waits for what is under way.
func (h *Handler) Drain() {
	h.drain()
	time.AfterFunc(drainTime, h.stop)
}

func errStopping() *Problem {
	return &Problem{Status: http.StatusServiceUnavailable, Code: CodeStopping, Detail: "The server is stopping. Try again."}
}
