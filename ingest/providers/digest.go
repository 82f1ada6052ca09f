package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"
)

// unread are the parts of a definition that a mapping never looks at: how a
// sender proves itself, what is stored, and words for people. Whatever else a
// definition holds, a part of a later version included, counts as read.
var unread = map[string]bool{
	"name": true, "title": true, "assumed": true, "notes": true, "on_failure": true,
	"extends": true, "keep_headers": true, "signature": true,
}

// mappingDigest is the SHA-256, in hex, of what the parts of a definition say of the
// meaning of events. Comments, the order of keys, the way a text is quoted and what
// aliases are used do not enter (docs/FORMAT.md).
func mappingDigest(parts map[string]*yaml.Node) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(parts)) {
		if !unread[key] {
			_, _ = fmt.Fprintf(h, "%q:", key) // a hash takes everything
			digestNode(h, parts[key])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// digestNode adds a value. Every part ends by itself, so that no two values are written alike.
func digestNode(h hash.Hash, n *yaml.Node) {
	n = resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		values := map[string]*yaml.Node{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			values[resolve(n.Content[i]).Value] = n.Content[i+1]
		}
		_, _ = fmt.Fprint(h, "{")
		for _, key := range slices.Sorted(maps.Keys(values)) {
			_, _ = fmt.Fprintf(h, "%q:", key)
			digestNode(h, values[key])
		}
		_, _ = fmt.Fprint(h, "}")
	case yaml.SequenceNode:
		_, _ = fmt.Fprint(h, "[")
		for _, item := range n.Content {
			digestNode(h, item)
		}
		_, _ = fmt.Fprint(h, "]")
	default:
		_, _ = fmt.Fprintf(h, "%s %q,", n.ShortTag(), n.Value)
	}
}
