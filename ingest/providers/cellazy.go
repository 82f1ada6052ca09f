package providers

import (
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// This file converts the body for CEL, and of it only what CEL touches: an
// expression reads two or three fields of an event, and a body may have thousands.

const (
	// smallValue is the length in bytes up to which a value is converted each time
	// that CEL comes by. A longer one is converted once for an event: an expression
	// can come by as often as its cost limit lets it.
	smallValue = 64
	// fewLookups is how many members of an object are searched for before all are put into a map.
	fewLookups = 8
	// keepConverted bounds the map that a Mapper keeps between events.
	keepConverted = 1 << 10
)

// converted holds what was converted for CEL out of the document at hand.
type converted map[convertedKey]ref.Val

// convertedKey has the use, as not every use sees what is hidden.
type convertedKey struct {
	node int
	use  use
}

// forget lets go of all of it.
func (c *converted) forget() {
	if len(*c) > keepConverted {
		*c = nil
	}
	clear(*c)
}

// celValue converts node n, an object's members not before they are asked for.
func (m *activation) celValue(n int) ref.Val {
	k := &m.doc.nodes[n]
	if k.end-k.start <= smallValue {
		return m.convert(n)
	}
	key := convertedKey{n, m.use}
	v, ok := m.converted[key]
	if !ok {
		if m.converted == nil {
			m.converted = converted{}
		}
		v = m.convert(n)
		m.converted[key] = v
	}
	return v
}

func (m *activation) convert(n int) ref.Val {
	d := &m.doc
	k := &d.nodes[n]
	if (*Mapper)(m).hides(n) {
		return types.String(hiddenMask)
	}
	switch k.kind {
	case kindNull:
		return types.NullValue
	case kindBool:
		return types.Bool(d.text[k.start] == 't')
	case kindNumber:
		return celNumber(string(d.raw(n)), m.use)
	case kindString:
		text, _ := d.string(n, nil)
		return types.String(text)
	case kindArray:
		list := []ref.Val{}
		for i := n + 1; i < int(k.next); i = int(d.nodes[i].next) {
			list = append(list, m.celValue(i))
		}
		return types.NewRefValList(types.DefaultTypeAdapter, list)
	default:
		return &object{m: m, node: n}
	}
}

// object is a JSON object as CEL sees it: a map without the members that are
// null, as null and absent are the same. It is valid while its document is. It
// is iterated in the order of the body: the order of a Go map differs from run
// to run, and a rebuild must read what was read before.
type object struct {
	m       *activation
	node    int
	lookups int
	names   []ref.Val     // once they are asked for
	all     traits.Mapper // with every member, where a lookup does not do
}

// list returns the names of the members.
func (o *object) list() []ref.Val {
	if o.names != nil {
		return o.names
	}
	o.names = []ref.Val{}
	d := &o.m.doc
	for i := o.node + 1; i < int(d.nodes[o.node].next); i = int(d.nodes[i+1].next) {
		if d.nodes[i+1].kind != kindNull {
			o.names = append(o.names, types.String(d.nameText(&d.nodes[i])))
		}
	}
	return o.names
}

// whole returns the object as one of CEL's own maps.
func (o *object) whole() traits.Mapper {
	if o.all != nil {
		return o.all
	}
	members := map[ref.Val]ref.Val{}
	d := &o.m.doc
	for i := o.node + 1; i < int(d.nodes[o.node].next); i = int(d.nodes[i+1].next) {
		if d.nodes[i+1].kind != kindNull {
			members[types.String(d.nameText(&d.nodes[i]))] = o.m.celValue(i + 1)
		}
	}
	o.all = types.NewRefValMap(types.DefaultTypeAdapter, members)
	return o.all
}

// Find implements traits.Mapper.
func (o *object) Find(key ref.Val) (ref.Val, bool) {
	name, isText := key.(types.String)
	if o.lookups++; !isText || o.all != nil || o.lookups > fewLookups {
		return o.whole().Find(key)
	}
	n := o.m.doc.member(o.node, string(name))
	if n == noNode {
		return nil, false
	}
	return o.m.celValue(n), true
}

// Get implements traits.Indexer.
func (o *object) Get(key ref.Val) ref.Val {
	v, found := o.Find(key)
	if !found {
		return types.ValOrErr(v, "no such key: %v", key)
	}
	return v
}

// Contains implements traits.Container.
func (o *object) Contains(key ref.Val) ref.Val {
	_, found := o.Find(key)
	return types.Bool(found)
}

// Iterator goes through the names.
func (o *object) Iterator() traits.Iterator {
	return types.NewRefValList(types.DefaultTypeAdapter, o.list()).Iterator()
}

// Size implements traits.Sizer.
func (o *object) Size() ref.Val { return types.Int(len(o.list())) }

// Type implements ref.Val.
func (o *object) Type() ref.Type { return types.MapType }

// Equal implements ref.Val.
func (o *object) Equal(other ref.Val) ref.Val { return o.whole().Equal(other) }

// Value implements ref.Val.
func (o *object) Value() any { return o.whole().Value() }

// ConvertToNative implements ref.Val.
func (o *object) ConvertToNative(to reflect.Type) (any, error) { return o.whole().ConvertToNative(to) }

// ConvertToType implements ref.Val.
func (o *object) ConvertToType(to ref.Type) ref.Val { return o.whole().ConvertToType(to) }
