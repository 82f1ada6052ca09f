package projections

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Quarantine is an authentic event that the mapping could not place. It is in
// the log like any other, and leaves the quarantine when the mapping is mended.
type Quarantine struct {
	Event      string    `json:"event" doc:"The event's id"`
	Source     string    `json:"source"`
	ReceivedAt time.Time `json:"received_at"`
	Code       string    `json:"code" doc:"Why, as a stable word"`
	Reason     string    `json:"reason" doc:"Why, for people; it may quote the payload"`
	Position   uint64    `json:"position"`
	Index      uint32    `json:"index" doc:"Place in the commit group at that position"`
}

func quarantineKey(position uint64, index uint32) []byte {
	k := append(make([]byte, 0, 13), prefixQuarantine)
	k = binary.BigEndian.AppendUint64(k, position)
	return binary.BigEndian.AppendUint32(k, index)
}

func putQuarantined(b *kv.Batch, position uint64, index uint32, q *Quarantine) error {
	v, err := json.Marshal(q)
	if err != nil {
		return err
	}
	return b.Set(quarantineKey(position, index), v)
}

func decodeQuarantine(key, value []byte) (Quarantine, error) {
	var q Quarantine
	if len(key) != 13 {
		return q, fmt.Errorf("%w: quarantine: %w", kv.ErrDamaged, errRow)
	}
	if err := json.Unmarshal(value, &q); err != nil {
		return q, fmt.Errorf("%w: quarantine: %w", kv.ErrDamaged, err)
	}
	q.Position = binary.BigEndian.Uint64(key[1:])
	q.Index = binary.BigEndian.Uint32(key[9:])
	return q, nil
}

// quarantined reports whether an event of a source is in the quarantine.
func quarantined(r kv.Reader, m *meta, source string) (found bool, err error) {
	if m.Stats.Quarantine == 0 {
		return false, nil
	}
	it, err := r.Iter([]byte{prefixQuarantine}, []byte{prefixQuarantine + 1})
	if err != nil {
		return false, err
	}
	for ok := it.First(); ok && !found && err == nil; ok = it.Next() {
		var q Quarantine
		q, err = decodeQuarantine(it.Key(), it.Value())
		found = q.Source == source
	}
	return found, errors.Join(err, it.Close())
}

func receivedKey(ms, position uint64) []byte {
	k := append(make([]byte, 0, 17), prefixReceived)
	k = binary.BigEndian.AppendUint64(k, ms)
	return binary.BigEndian.AppendUint64(k, position)
}
