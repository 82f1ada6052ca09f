package api

// Health is the answer of a server that lives, or is ready.
type Health struct {
	Status string            `json:"status" enum:"ok"`
	Checks map[string]string `json:"checks,omitempty" doc:"ok, or the reason, for each part"`
}
