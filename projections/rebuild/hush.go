package rebuild

import "github.com/tidemark-dev/tidemark/projections/connections"

// hushed stands for a text of the old side that is not told.
const hushed = "[masked]"

// Hush takes the texts out of the old state that the new one does not have too: where
// the new definition hides fields that the old one showed, they may hold such a field.
func (c *Change) Hush() {
	if c.Old == nil {
		return
	}
	same := map[string]bool{"": true}
	if c.New != nil {
		for _, text := range texts(c.New) {
			same[*text] = true
		}
	}
	for _, text := range texts(c.Old) {
		if !same[*text] {
			*text = hushed
		}
	}
}

// texts are what a state quotes of events.
func texts(s *connections.State) []*string {
	all := []*string{
		&s.HealthReason, &s.Lifecycle.Reason, &s.Connectivity.Reason, &s.Auth.Reason, &s.Sync.Reason,
		&s.Error.Reason, &s.Error.Code, &s.Error.Message, &s.Error.RequestID,
	}
	if e := s.Sync.Error; e != nil {
		all = append(all, &e.Code, &e.Message, &e.RequestID)
	}
	return all
}
