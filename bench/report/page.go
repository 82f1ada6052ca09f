package report

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// Fill returns the page with each table between its markers, which stand on
// lines of their own:
//
//	<!-- bench:NAME -->
//	<!-- /bench:NAME -->
//
// Tables without a marker and markers without a table are left out; a marker that is
// not closed is an error.
func Fill(page []byte, tables map[string]string) ([]byte, error) {
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		begin, end := fmt.Appendf(nil, "<!-- bench:%s -->\n", name), fmt.Appendf(nil, "<!-- /bench:%s -->", name)
		before, rest, found := bytes.Cut(page, begin)
		if !found {
			continue
		}
		_, after, found := bytes.Cut(rest, end)
		if !found {
			return nil, fmt.Errorf("the page opens %q and does not close it with %q", bytes.TrimSpace(begin), end)
		}
		page = slices.Concat(before, begin, []byte("\n"+tables[name]+"\n"), end, after)
	}
	return page, nil
}
