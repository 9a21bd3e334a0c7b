package quickjs

import (
	"math"
	"time"
)

// zoneOffset is how many minutes east of UTC a time zone is at an instant.
func zoneOffset(zone string, ms float64) (float64, bool) {
	if zone == "" || zone == "Local" || math.IsNaN(ms) || math.Abs(ms) > 8.64e15 {
		return 0, false
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return 0, false
	}
	_, seconds := time.UnixMilli(int64(ms)).In(loc).Zone()
	return float64(seconds) / 60, true
}
