package autoclave

import (
	"fmt"
	"log/slog"

	"github.com/autoclave-run/autoclave/internal/lockdown"
)

// lockdownFloor is the level below which no worker is used.
func lockdownFloor(cfg LockdownConfig, log *slog.Logger) (lockdown.Level, error) {
	if cfg.Off {
		if cfg.Require != string(lockdown.None) {
			return "", fmt.Errorf("Config.Lockdown.Off is set and Require is %q: say Require: %q to run programs unconfined", cfg.Require, lockdown.None)
		}
		log.Warn("workers are not locked down: a program that breaks out of the engine has this process's rights")
		return lockdown.None, nil
	}
	switch floor := lockdown.Level(cfg.Require); floor {
	case lockdown.Strict, lockdown.Partial, lockdown.None:
		return floor, nil
	case "":
		best := lockdown.Best()
		if best != lockdown.Strict {
			log.Warn("this machine cannot lock workers down strictly", "best", best, "see", "autoclave doctor")
		}
		return best, nil
	}
	return "", fmt.Errorf("Config.Lockdown.Require is %q: it can be %q, %q, %q or empty for the best that the machine can give",
		cfg.Require, lockdown.Strict, lockdown.Partial, lockdown.None)
}
