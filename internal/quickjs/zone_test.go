package quickjs

import "testing"

func TestZones(t *testing.T) {
	var z zones
	for _, c := range []struct {
		name string
		ms   float64
		want float64
		ok   bool
	}{
		{"UTC", 0, 0, true},
		{"Europe/Berlin", 1700000000000, 60, true},
		{"Europe/Berlin", 1690000000000, 120, true},
		{"America/New_York", 1700000000000, -300, true},
		{"Asia/Kolkata", 1700000000000, 330, true},
		{"Mars/Olympus", 0, 0, false},
		{"", 0, 0, false},
		{"../etc/passwd", 0, 0, false},
		{"Local", 0, 0, false},
		{"Europe/Berlin", 1e300, 0, false},
	} {
		got, ok := z.offset(c.name, c.ms)
		if got != c.want || ok != c.ok {
			t.Errorf("%s at %v: %v %v, want %v %v", c.name, c.ms, got, ok, c.want, c.ok)
		}
	}
}
