package providers

import (
	"testing"
)

// BenchmarkFixtures maps each fixture of each definition.
func BenchmarkFixtures(b *testing.B) {
	for _, name := range Builtin() {
		d, err := Load(name)
		if err != nil {
			b.Fatal(err)
		}
		fixtures, err := BuiltinFixtures(name)
		if err != nil {
			b.Fatal(err)
		}
		m := d.NewMapper()
		for i := range fixtures.List {
			x := &fixtures.List[i]
			b.Run(name+"/"+x.Name, func(b *testing.B) {
				b.SetBytes(int64(len(x.Body)))
				b.ReportAllocs()
				for b.Loop() {
					_, _ = x.Map(m)
				}
			})
		}
	}
}
