//go:build !linux

package worker

import "errors"

var errNoNode = errors.New("the v8 engine needs Linux: nothing else can confine Node.js")

func launch(Boot) error { return errNoNode }

func shape() error { return errNoNode }
