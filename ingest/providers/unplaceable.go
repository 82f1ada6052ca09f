package providers

// Codes of Unplaceable: stable, few, fit for a metric label.
const (
	CodeNotJSON       = "not_json"       // the body is not strict JSON, or not an object
	CodeNoConnection  = "no_connection"  // no connection id in any place where one is looked for
	CodeBadConnection = "bad_connection" // longer than MaxID
	CodeNoType        = "no_type"        // no event type
	CodeBadType       = "bad_type"       // longer than MaxType
	CodeBadID         = "bad_id"         // delivery id longer than MaxID
	CodeBadTime       = "bad_time"       // a time is given and cannot be read
	CodeBadSequence   = "bad_sequence"   // a sequence is given that is not a 64-bit integer
	CodeSensitive     = "sensitive"      // the type or an id would be taken from a field that must not be shown
	CodeExpression    = "expression"     // an expression failed on this event, or went beyond its cost limit
)

// maxUnplaceableDetail bounds Unplaceable.Detail in bytes.
const maxUnplaceableDetail = 512

// Unplaceable says why a mapping cannot place an authentic event. The event
// belongs in the quarantine, from which a mended definition takes it.
type Unplaceable struct {
	// Code is one of the Code constants.
	Code string
	// Detail explains for people, at most 512 bytes of valid UTF-8. It may quote the payload.
	Detail string
}

// Error implements error.
func (u *Unplaceable) Error() string { return u.Code + ": " + u.Detail }

// unplaceable builds the error, cutting the detail.
func unplaceable(code, detail string) *Unplaceable {
	return &Unplaceable{Code: code, Detail: cut(detail, maxUnplaceableDetail)}
}
