package api

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
	Events  uint64  `json:"events"`
	Seconds float64 `json:"seconds" doc:"Age of the oldest of them; 0 where there is none"`
}

// Pending is what waits to be stored: no sender has been told yet that it is.
type Pending struct {
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"`
}
