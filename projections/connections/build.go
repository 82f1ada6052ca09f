package connections

import "github.com/tidemark-dev/tidemark/projections/timeline"

// What a rebuild shares with Put, so that both make the same rows.

// First bytes of this package's rows.
const (
	PrefixRow    = prefixRow
	PrefixName   = prefixName
	PrefixHealth = prefixHealth
)

// NameKey appends the key of the row that gives a connection its name: source, NUL, id.
func NameKey(dst []byte, c timeline.Conn) []byte { return append(append(dst, prefixName), c[:]...) }

// SplitName returns the source and the id in such a name.
func SplitName(value []byte) (source, id string) { return splitName(value) }

// RowKey appends the key of a connection's row.
func RowKey(dst []byte, source, id string) []byte { return rowKey(dst, source, id) }

// AppendTo appends the value of a connection's row.
func (r *Row) AppendTo(dst []byte) []byte { return r.append(dst) }

// HealthKey appends the key of the row that lists a connection under its health; its value is empty.
func HealthKey(dst []byte, h Health, source, id string) []byte {
	return appendName(append(dst, prefixHealth, byte(h)), source, id)
}

func appendName(dst []byte, source, id string) []byte {
	dst = append(dst, source...)
	dst = append(dst, 0)
	return append(dst, id...)
}

// Decode reads a connection's row, key and value; its texts are copies.
func (r *Row) Decode(key, value []byte) error {
	*r = Row{}
	if len(key) > 0 {
		r.Source, r.ID = splitName(key[1:])
	}
	return r.decode(value)
}
