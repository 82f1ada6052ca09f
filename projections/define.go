package projections

import (
	"maps"
	"slices"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// Several stands in the place of a digest where some events of a source were read
// by one definition and some by another. No definition has this digest, so only a rebuild makes
// the directory one of a single definition again.
const Several = "several"

// Define lets the events of a source be read by a definition, from the next
// group on, where none does so yet, or where no event of the source was read so far: what the
// directory holds is then what one definition makes of the log. Where events were read by another
// definition that one stays, since all of them have to be read alike: a
// directory made by a rebuild reads them by the new one. The batch at hand must be empty.
func (p *Projector) Define(source string, d *providers.Definition) error {
	made, known := p.done.Definitions[source]
	if known && made == d.Digest() {
		delete(p.outdated, source)
		p.read(source, d)
		return nil
	}
	there, err := p.hasRead(source)
	switch {
	case err != nil:
		return err
	case !there:
		p.done.Definitions[source], p.next.Definitions[source] = d.Digest(), d.Digest()
	case p.definitions[source] != nil:
		return nil
	default:
		// Read by a definition that is not at hand, or put into the quarantine for lack of one.
		p.outdated[source] = known
	}
	p.read(source, d)
	return nil
}

func (p *Projector) read(source string, d *providers.Definition) {
	p.definitions[source] = d
	p.observer.define(source, d)
}

// observe is the observer's, and notes where a directory comes to hold what two definitions read.
func (p *Projector) observe(e *eventstore.Event) (providers.Observation, *Quarantine, error) {
	if p.outdated[e.Source] {
		p.next.Definitions[e.Source] = Several
	}
	return p.observer.Observe(e)
}

// hasRead reports whether the directory holds an event of a source: each one is
// on a connection, or in the quarantine.
func (p *Projector) hasRead(source string) (bool, error) {
	if p.done.Stats.BySource[source] > 0 {
		return true, nil
	}
	return quarantined(p.db.Reader, &p.done, source)
}

// Definitions returns what each source's events are read by. The map is the caller's.
func (p *Projector) Definitions() map[string]*providers.Definition { return maps.Clone(p.definitions) }

// Outdated names the sources whose new events are read by another definition than
// those that the directory has, or that have events in the quarantine from before they had one. Only a
// rebuild reads all of them by one.
func (p *Projector) Outdated() []string { return slices.Sorted(maps.Keys(p.outdated)) }
