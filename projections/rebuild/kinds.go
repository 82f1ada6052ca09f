package rebuild

import (
	"encoding/binary"
	"fmt"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// kind is one kind of rows.
type kind struct {
	prefix byte
	name   string
	// hashed kinds have keys that go on with a hash, so that they spread evenly.
	hashed bool
}

// kinds are all kinds of rows in the order of their keys, but for the one row of a
// directory about itself, which comes first.
var kinds = [...]kind{
	{timeline.PrefixNode, "summary", true},
	{projections.PrefixDelivered, "delivery id", true},
	{projections.PrefixGroup, "group", false},
	{connections.PrefixHealth, "health index", false},
	{connections.PrefixRow, "state", false},
	{connections.PrefixName, "name", true},
	{projections.PrefixQuarantine, "quarantine", false},
	{projections.PrefixReceived, "index of times", false},
	{timeline.PrefixEntry, "timeline entry", true},
	{timeline.PrefixDelivery, "further delivery", true},
}

// describe says for people which row a key is.
func describe(r kv.Reader, key []byte) string {
	name := "row of an unknown kind"
	for _, k := range kinds {
		if len(key) > 0 && k.prefix == key[0] {
			name = k.name
		}
	}
	if len(key) == 0 {
		return name
	}
	switch key[0] {
	case timeline.PrefixNode, timeline.PrefixEntry, timeline.PrefixDelivery, connections.PrefixName:
		if len(key) < 17 {
			break
		}
		source, id, ok, err := connections.NameOf(r, timeline.Conn(key[1:17]))
		if err != nil || !ok {
			return fmt.Sprintf("%s of connection %x, which has no name", name, key[1:17])
		}
		if _, k, _, ok := timeline.SplitEntryKey(key); ok && key[0] != timeline.PrefixNode {
			return fmt.Sprintf("%s of connection %q of source %s, event at position %d, index %d", name, id, source, k.Position, k.Index)
		}
		return fmt.Sprintf("%s of connection %q of source %s", name, id, source)
	case connections.PrefixRow:
		source, id := connections.SplitName(key[1:])
		return fmt.Sprintf("%s of connection %q of source %s", name, id, source)
	case connections.PrefixHealth:
		if len(key) > 2 {
			source, id := connections.SplitName(key[2:])
			return fmt.Sprintf("%s of connection %q of source %s", name, id, source)
		}
	case projections.PrefixGroup, projections.PrefixQuarantine:
		if len(key) >= 9 {
			return fmt.Sprintf("%s at position %d", name, binary.BigEndian.Uint64(key[1:]))
		}
	}
	return fmt.Sprintf("%s with key %x", name, key)
}
