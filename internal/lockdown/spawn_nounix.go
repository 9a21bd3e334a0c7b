//go:build !unix

package lockdown

import "syscall"

func inspectOther(HostOptions) []Layer { return allInactive(hostLayers, reasonPlatform("this layer")) }

func otherAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
