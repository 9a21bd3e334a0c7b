package quickjs

import (
	"archive/zip"
	_ "embed"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// zoneFiles is Go's lib/time/zoneinfo.zip, the IANA time zone database. The
// same is in package time/tzdata, but that is only asked after the system's
// own files, and a locked-down worker dies when it opens one.
//
//go:embed zoneinfo.zip
var zoneFiles string

// zones are the time zones that programs of this process have named.
type zones struct {
	files map[string]*zip.File
	known map[string]*time.Location
}

// offset is how many minutes east of UTC a time zone is at an instant, given
// in milliseconds since 1970.
func (z *zones) offset(name string, ms float64) (float64, bool) {
	if !(math.Abs(ms) <= 8.64e15) {
		return 0, false
	}
	loc, ok := z.known[name]
	if !ok {
		if z.known == nil {
			if err := z.open(); err != nil {
				return 0, false
			}
		}
		f := z.files[name]
		if f == nil {
			return 0, false
		}
		var err error
		if loc, err = readZone(f); err != nil {
			return 0, false
		}
		z.known[name] = loc
	}
	_, seconds := time.UnixMilli(int64(ms)).In(loc).Zone()
	return float64(seconds) / 60, true
}

func (z *zones) open() error {
	r, err := zip.NewReader(strings.NewReader(zoneFiles), int64(len(zoneFiles)))
	if err != nil {
		return fmt.Errorf("open the time zone files: %w", err)
	}
	z.files, z.known = make(map[string]*zip.File, len(r.File)), make(map[string]*time.Location)
	for _, f := range r.File {
		z.files[f.Name] = f
	}
	return nil
}

func readZone(f *zip.File) (*time.Location, error) {
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("open time zone %s: %w", f.Name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read time zone %s: %w", f.Name, err)
	}
	return time.LoadLocationFromTZData(f.Name, b)
}
