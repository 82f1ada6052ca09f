package projections

import (
	"maps"
	"slices"

	"github.com/tidemark-dev/tidemark/projections/connections"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// PlacesVersion is the version of what the projector decides about each event by itself: its fate
// (placed, duplicate, quarantined), its place on a timeline, whether it is late, and what its entry says. Raise
// it where the code comes to decide otherwise about the same events, read by the same definitions, in rows
// of the same layout (another layout is another Format). Every user's log is then read again.
const PlacesVersion = 1

// Versions returns the version of each projection that this code makes, by the name that
// directories know it by. A projection that comes later begins at 2: a directory that does not name it lacks it.
func Versions() map[string]int {
	v := foldVersions()
	v["places"] = PlacesVersion
	return v
}

// foldVersions are those of the projections that a refold makes anew from the local history.
func foldVersions() map[string]int {
	return map[string]int{"timeline": timeline.Version, "connections": connections.Version}
}

// Refolded returns the versions of what a refold makes of a directory with these: folds
// are this code's, all else is as it was.
func Refolded(made map[string]int) map[string]int {
	v := complete(made)
	maps.Copy(v, foldVersions())
	return v
}

// OtherVersions names the projections that were made by another version than this
// code's, sorted.
func OtherVersions(made map[string]int) []string {
	now, was := Versions(), complete(made)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(was)), func(name string) bool { return was[name] == now[name] })
}

// OtherFolds is OtherVersions of those that a refold makes anew.
func OtherFolds(made map[string]int) []string {
	folds := foldVersions()
	return slices.DeleteFunc(OtherVersions(made), func(name string) bool { return folds[name] == 0 })
}

// complete adds what a directory from before versions were recorded does not name: the
// first version of each projection made it.
func complete(made map[string]int) map[string]int {
	v := map[string]int{}
	for name := range Versions() {
		v[name] = 1
	}
	maps.Copy(v, made)
	return v
}
