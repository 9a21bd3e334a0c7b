//go:build unix && (!linux || !(amd64 || arm64))

package lockdown

import "syscall"

func inspectOther(o HostOptions) []Layer {
	layers := allInactive(hostLayers, reasonPlatform("this layer"))
	for i, l := range layers {
		if l.Name == LayerSession {
			layers[i] = active(LayerSession)
			if o.skip(LayerSession) {
				layers[i] = inactive(LayerSession, reasonSkipped)
			}
		}
	}
	return layers
}

func otherAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
