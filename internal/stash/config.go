package stash

import (
	"fmt"
	"math"
	"time"
)

// Config bounds one Store. Zero in a field means the default.
type Config struct {
	// MaxEntries is how many entries there may be. Default 256.
	MaxEntries int
	// MaxValue is the size of one value, in bytes of JSON. Default 1 MiB.
	MaxValue int
	// MaxTotal is the size of all keys and values, in bytes. Default 16 MiB.
	MaxTotal int64
	// DefaultTTL is how long an entry lives that is put without a time to
	// live. Default 1 h, or MaxTTL where that is less. Negative: as long as the
	// store, which needs a negative MaxTTL.
	DefaultTTL time.Duration
	// MaxTTL is the longest time to live that a program may ask for. Default
	// 24 h. Negative: no bound.
	MaxTTL time.Duration
}

const forever = time.Duration(math.MaxInt64)

// withDefaults returns c with all defaults in place and "no bound" as the
// longest of times.
func (c Config) withDefaults() (Config, error) {
	if c.MaxEntries < 0 {
		return c, fmt.Errorf("stash: MaxEntries is %d: it must be positive, or 0 for the default of 256", c.MaxEntries)
	}
	if c.MaxValue < 0 {
		return c, fmt.Errorf("stash: MaxValue is %d: it must be positive, or 0 for the default of 1 MiB", c.MaxValue)
	}
	if c.MaxTotal < 0 {
		return c, fmt.Errorf("stash: MaxTotal is %d: it must be positive, or 0 for the default of 16 MiB", c.MaxTotal)
	}
	setDefault(&c.MaxEntries, 256)
	setDefault(&c.MaxValue, 1<<20)
	setDefault(&c.MaxTotal, 16<<20)
	setDefault(&c.MaxTTL, 24*time.Hour)
	if c.MaxTTL < 0 {
		c.MaxTTL = forever
	}
	setDefault(&c.DefaultTTL, min(time.Hour, c.MaxTTL))
	if c.DefaultTTL < 0 {
		c.DefaultTTL = forever
	}
	if c.DefaultTTL > c.MaxTTL {
		return c, fmt.Errorf("stash: DefaultTTL is %v, above MaxTTL, which is %v: lower the one or raise the other", c.DefaultTTL, c.MaxTTL)
	}
	return c, nil
}

func setDefault[T ~int | ~int64](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}
