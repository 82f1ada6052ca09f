package rebuild

import "encoding/binary"

// ids finds first deliveries of a chunk by their hash. It is a table of indexes
// into the chunk's list of them, probed linearly and little more than half full.
type ids struct {
	slots []uint32 // index plus 1; 0 is free
	mask  uint64
}

func newIDs(most int) ids {
	n := 1024
	for n < 2*most {
		n *= 2
	}
	return ids{slots: make([]uint32, n), mask: uint64(n - 1)}
}

func slotOf(hash *[16]byte) uint64 { return binary.LittleEndian.Uint64(hash[4:]) }

// add adds the entry at index i of list; its hash is not there yet.
func (t *ids) add(list []firstDelivery, i int) {
	if 16*len(list) > 9*len(t.slots) {
		t.grow(list[:i])
	}
	t.put(&list[i].hash, i)
}

func (t *ids) put(hash *[16]byte, i int) {
	at := slotOf(hash) & t.mask
	for t.slots[at] != 0 {
		at = (at + 1) & t.mask
	}
	t.slots[at] = uint32(i + 1)
}

func (t *ids) grow(list []firstDelivery) {
	t.slots = make([]uint32, 2*len(t.slots))
	t.mask = uint64(len(t.slots) - 1)
	for i := range list {
		t.put(&list[i].hash, i)
	}
}

// find returns the entry of list under a hash, nil where there is none.
func (t *ids) find(list []firstDelivery, hash *[16]byte) *firstDelivery {
	for at := slotOf(hash) & t.mask; t.slots[at] != 0; at = (at + 1) & t.mask {
		if d := &list[t.slots[at]-1]; d.hash == *hash {
			return d
		}
	}
	return nil
}

func (t *ids) clear() { clear(t.slots) }
