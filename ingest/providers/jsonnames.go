package providers

import "encoding/binary"

// name is a name of an open object. Names with different prints differ.
type name struct {
	print uint64
	node  int
}

// smallObject is how many names of one object are compared one by one.
const smallObject = 48

// repeated notes the last of nodes as a name of the innermost object and
// reports whether the object has it already.
func (d *document) repeated(nodes []node) bool {
	top := &d.stack[len(d.stack)-1]
	self := len(nodes) - 1
	k := &nodes[self]
	if top.big != nil {
		key := d.nameText(k)
		_, dup := top.big[key]
		top.big[key] = struct{}{}
		return dup
	}
	var print uint64
	if k.escaped {
		print = fingerprint(d.appendString(nil, k))
	} else {
		print = fingerprint(d.text[k.start+1 : k.end-1])
	}
	siblings := d.names[top.names:]
	for i := range siblings {
		if siblings[i].print == print && d.nameText(&nodes[siblings[i].node]) == d.nameText(k) {
			return true
		}
	}
	d.names = append(d.names, name{print, self})
	if len(siblings) == smallObject {
		top.big = make(map[string]struct{}, 4*smallObject)
		for _, n := range d.names[top.names:] {
			top.big[d.nameText(&nodes[n.node])] = struct{}{}
		}
	}
	return false
}

func (d *document) nameText(k *node) string {
	if k.escaped {
		return string(d.appendString(nil, k))
	}
	return string(d.text[k.start+1 : k.end-1])
}

// fingerprint condenses a name into a number that equal names share.
func fingerprint(b []byte) uint64 {
	n := len(b)
	if n >= 8 {
		first, last := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
		return first ^ last*0x9E3779B97F4A7C15 ^ uint64(n)
	}
	x := uint64(n)
	for _, c := range b {
		x = x<<8 | uint64(c)
	}
	return x
}
