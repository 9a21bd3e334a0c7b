package quickjs

import (
	"encoding/binary"
	"fmt"
	"math"

	"modernc.org/libc"
	lib "modernc.org/libquickjs"

	"github.com/autoclave-run/autoclave/internal/wire"
)

// nativeName is one function of N, the natives that the prelude is given. The
// name ends in a NUL. Nothing that a program can reach refers to them.
type nativeName struct {
	name   string
	length int
	call   func(e *Engine, args []value) value
}

// natives is set in init because the functions refer to the engine, which
// refers to the table.
var natives []nativeName

func init() {
	natives = []nativeName{
		{"call\x00", 6, (*Engine).nativeCall},
		{"log\x00", 2, (*Engine).nativeLog},
		{"logRoom\x00", 0, (*Engine).nativeLogRoom},
		{"emit\x00", 1, (*Engine).nativeEmit},
		{"progress\x00", 3, (*Engine).nativeProgress},
		{"timer\x00", 1, (*Engine).nativeTimer},
		{"clear\x00", 1, (*Engine).nativeClear},
		{"uncaught\x00", 1, (*Engine).nativeUncaught},
		{"concurrency\x00", 0, (*Engine).nativeConcurrency},
		{"servers\x00", 0, (*Engine).nativeServers},
		{"server\x00", 1, (*Engine).nativeServer},
		{"tools\x00", 1, (*Engine).nativeTools},
		{"tool\x00", 2, (*Engine).nativeTool},
		{"owners\x00", 1, (*Engine).nativeOwners},
		{"owned\x00", 0, (*Engine).nativeOwned},
		{"random\x00", 0, (*Engine).nativeRandom},
		{"fill\x00", 1, (*Engine).nativeFill},
		{"load\x00", 1, (*Engine).nativeLoad},
		{"classId\x00", 1, (*Engine).nativeClassID},
		{"proxyTarget\x00", 1, (*Engine).nativeProxyTarget},
		{"promiseState\x00", 1, (*Engine).nativePromiseState},
		{"promiseResult\x00", 1, (*Engine).nativePromiseResult},
		{"tzOffset\x00", 2, (*Engine).nativeTZOffset},
	}
}

// native is what the engine calls for all of them.
func (e *Engine) native(_ *libc.TLS, _ uintptr, _ value, argc int32, argv uintptr, magic int32) value {
	n := &natives[magic]
	return n.call(e, arguments(max(argc, int32(n.length)), argv))
}

// nativeLog hands over a console entry: (level, text).
func (e *Engine) nativeLog(args []value) value {
	x := &e.run
	level, cut := e.str(args[0]), false
	if !e.text(args[1], func(b []byte) {
		if limit := x.program.Limits.Logs; limit > 0 {
			if room := limit - x.logged; int64(len(b)) > room {
				b, cut = cutUTF8(b, int(max(room, 0))), true
			}
		}
		// An entry costs something even where it is empty.
		x.logged += int64(len(b)) + wire.LogOverhead
		if cut {
			x.logged = math.MaxInt64 / 2
		}
		if err := x.port.Log(level, validUTF8(b), cut); err != nil {
			x.fail(fmt.Errorf("hand over a console entry: %w", err))
		}
	}) {
		return exception
	}
	return undefined
}

// nativeLogRoom is how many bytes of console output are still wanted.
func (e *Engine) nativeLogRoom([]value) value {
	x := &e.run
	if x.stopped() {
		return e.newInt(0)
	}
	limit := x.program.Limits.Logs
	if limit <= 0 {
		return e.newInt(math.MaxInt32)
	}
	if x.logged >= math.MaxInt64/2 {
		return e.newInt(0)
	}
	return e.newInt(int(max(limit-x.logged, 1)))
}

// nativeEmit hands over a content block: (json). What it returns is why not:
// code and message.
func (e *Engine) nativeEmit(args []value) value {
	x, r := &e.run, undefined
	if !e.text(args[0], func(b []byte) {
		if limit := x.program.Limits.Emits; limit > 0 && x.emitted+int64(len(b))+wire.EmitOverhead > limit {
			r = e.parseJSON(mustJSON(wire.Error{
				Code: wire.CodeEmitLimit, Message: fmt.Sprintf("this block is %d bytes of JSON and %d have been emitted already; the limit is %d", len(b), x.emitted, limit),
			}))
			return
		}
		if why := unsendable(b); why != "" {
			r = e.parseJSON(mustJSON(wire.Error{Code: wire.CodeInvalidArguments, Message: "the block cannot be sent: " + why}))
			return
		}
		x.emitted += int64(len(b)) + wire.EmitOverhead
		if x.stopped() {
			return
		}
		if err := x.port.Emit(b); err != nil {
			x.fail(fmt.Errorf("hand over a content block: %w", err))
		}
	}) {
		return exception
	}
	return r
}

// nativeProgress is (done, total, message), the last two undefined if absent.
func (e *Engine) nativeProgress(args []value) value {
	x := &e.run
	if x.progress++; x.stopped() || x.progress > wire.MaxProgress {
		return undefined
	}
	// JSON knows no infinity: what cannot be said is not said.
	done := e.number(args[0])
	if !isFinite(done) {
		return undefined
	}
	var total *float64
	if !isUndefined(args[1]) {
		if t := e.number(args[1]); isFinite(t) {
			total = &t
		}
	}
	message := ""
	if !isUndefined(args[2]) {
		message = string(cutUTF8([]byte(e.str(args[2])), wire.MaxProgressMessage))
	}
	if err := x.port.Progress(done, total, message); err != nil {
		x.fail(fmt.Errorf("hand over progress: %w", err))
	}
	return undefined
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

func (e *Engine) nativeTimer(args []value) value {
	return e.newInt(int(e.run.timers.add(e.number(args[0]))))
}

func (e *Engine) nativeClear(args []value) value {
	e.run.timers.remove(int64(e.number(args[0])))
	return undefined
}

// nativeUncaught notes what a timer or a microtask threw.
func (e *Engine) nativeUncaught(args []value) value {
	e.run.noteUncaught(e, args[0])
	return undefined
}

func (e *Engine) nativeServers([]value) value {
	return e.newList(e.run.program.Catalog.serverNames())
}

func (e *Engine) nativeServer(args []value) value {
	return e.optional(e.run.program.Catalog.server(e.str(args[0])))
}

func (e *Engine) nativeTools(args []value) value {
	return e.newList(e.run.program.Catalog.toolNames(e.str(args[0])))
}

func (e *Engine) nativeTool(args []value) value {
	return e.optional(e.run.program.Catalog.tool(e.str(args[0]), e.str(args[1])))
}

// nativeOwned is the tools that one server alone has.
func (e *Engine) nativeOwned([]value) value {
	return e.newList(e.run.program.Catalog.owned())
}

// nativeOwners is the servers that have a tool of that name.
func (e *Engine) nativeOwners(args []value) value {
	return e.newList(e.run.program.Catalog.owners(e.str(args[0])))
}

func (e *Engine) optional(s string, ok bool) value {
	if !ok {
		return undefined
	}
	return e.newString(s)
}

func (e *Engine) nativeRandom([]value) value {
	return e.newFloat(float64(e.run.random.Uint64()>>11) / (1 << 53))
}

// nativeFill fills a typed array with random bytes.
func (e *Engine) nativeFill(args []value) value {
	ok := e.fillBytes(args[0], func(b []byte) {
		for len(b) >= 8 {
			binary.LittleEndian.PutUint64(b, e.run.random.Uint64())
			b = b[8:]
		}
		if len(b) > 0 {
			var last [8]byte
			binary.LittleEndian.PutUint64(last[:], e.run.random.Uint64())
			copy(b, last[:])
		}
	})
	if !ok {
		return exception
	}
	return undefined
}

// nativeLoad evaluates a library of the prelude.
func (e *Engine) nativeLoad(args []value) value {
	return e.load(e.str(args[0]))
}

func (e *Engine) nativeClassID(args []value) value { return e.newInt(e.classID(args[0])) }

// nativeProxyTarget is the target of a proxy, null of one that was revoked.
func (e *Engine) nativeProxyTarget(args []value) value {
	if e.classID(args[0]) != lib.EJS_CLASS_PROXY {
		return undefined
	}
	return e.proxyTarget(args[0])
}

func (e *Engine) nativePromiseState(args []value) value {
	return e.newInt(int(e.promiseState(args[0])))
}

func (e *Engine) nativePromiseResult(args []value) value {
	if e.promiseState(args[0]) <= promisePending {
		return undefined
	}
	return e.promiseResult(args[0])
}

// nativeTZOffset is (zone, epochMs): minutes east of UTC then and there.
func (e *Engine) nativeTZOffset(args []value) value {
	minutes, ok := e.zones.offset(e.str(args[0]), e.number(args[1]))
	if !ok {
		return undefined
	}
	return e.newFloat(minutes)
}
