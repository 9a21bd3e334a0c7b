package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	durationForm = `a duration is a number and a unit, ns, us, ms, s, m, h or d, such as "5s" or "1h30m"`
	sizeForm     = `a size is a number and a unit, B, KiB, MiB, GiB, KB, MB or GB, such as "128MiB"`
	rateForm     = `a rate is a number per s, min, h or d, with a burst if need be, such as "60/min" or "60/min burst 10"`
)

func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, errors.New(durationForm)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New(durationForm)
	}
	return d, nil
}

var sizeUnits = []struct {
	suffix string
	factor float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// maxSize is a size that no machine has.
const maxSize = 1 << 50

// parseSize returns a number of bytes.
func parseSize(s string) (int64, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		// ParseFloat takes more than people write: hexadecimal, inf, 1_000.
		digits = strings.TrimSpace(digits)
		if digits == "" || strings.Trim(digits, "0123456789.") != "" {
			break
		}
		n, err := strconv.ParseFloat(digits, 64)
		if err != nil {
			break
		}
		n *= u.factor
		switch {
		case n != math.Trunc(n):
			return 0, fmt.Errorf("that is no whole number of bytes")
		case n > maxSize || n > math.MaxInt:
			return 0, fmt.Errorf("that is more than any machine has")
		}
		return int64(n), nil
	}
	return 0, errors.New(sizeForm)
}

// Rate is how many events are let through in a time, as a token bucket. The
// zero Rate is no bound.
type Rate struct {
	Events int
	Per    time.Duration
	// Burst is how many may come at once: Events where the file says nothing.
	Burst int
}

// PerSecond returns how many events a second the rate lets through.
func (r Rate) PerSecond() float64 {
	if r.Per == 0 {
		return math.Inf(1)
	}
	return float64(r.Events) / r.Per.Seconds()
}

func (r Rate) String() string {
	if r.Per == 0 {
		return "unlimited"
	}
	for _, u := range rateUnits {
		if r.Per == u.per {
			s := fmt.Sprintf("%d/%s", r.Events, u.name)
			if r.Burst != r.Events {
				s += fmt.Sprintf(" burst %d", r.Burst)
			}
			return s
		}
	}
	return fmt.Sprintf("%d/%v burst %d", r.Events, r.Per, r.Burst)
}

var rateUnits = []struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"min", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}}

// errRateForm says that a text is no rate at all. Other errors are of one that
// was meant to be a rate, and that can be shown.
var errRateForm = errors.New(rateForm)

func parseRate(s string) (Rate, error) {
	if s == "unlimited" {
		return Rate{}, nil
	}
	rate, burst, hasBurst := strings.Cut(s, " burst ")
	events, unit, _ := strings.Cut(rate, "/")
	var r Rate
	for _, u := range rateUnits {
		if unit == u.name {
			r.Per = u.per
		}
	}
	n, err := rateCount("the number", events)
	if r.Per == 0 {
		return Rate{}, errRateForm
	}
	if err != nil {
		return Rate{}, err
	}
	r.Events, r.Burst = n, n
	if hasBurst {
		if r.Burst, err = rateCount("the burst", burst); err != nil {
			return Rate{}, err
		}
	}
	return r, nil
}

func rateCount(what, s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	switch {
	case errors.Is(err, strconv.ErrSyntax) || s[0] == '+':
		return 0, errRateForm
	case n < 1:
		return 0, fmt.Errorf("%s must be at least 1", what)
	case err != nil:
		return 0, fmt.Errorf("%s is too large", what)
	}
	return int(n), nil
}
