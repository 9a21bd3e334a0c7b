package worker

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/autoclave-run/autoclave/internal/quickjs"
)

// A shaper is a worker that never runs a program: it brings programs into the
// shape that another engine takes, and says where in them an error is. It is
// spoken to on its standard input and output, by the worker that has it:
//
//	u32 length | u32 number | kind | payload            a request
//	u32 length | u32 number | u32 size | JSON | text    its answer
//
// Integers are big-endian and a length counts what follows it. The kinds:
const (
	shapeProgram = 'S' // a program → quickjs.Shape and its text
	shapeExplain = 'E' // the prelude's description of a thrown value → wire.Error
	shapeSyntax  = 'X' // {"message","line","column"} of a script that the engine refused → wire.Error
	shapePlain   = 'P' // what is put before the program as it stands → null
)

// Limits of a shaper: the memory that a program may take to be parsed, and how
// large a request may be. The frame that a program came in bounds it as well.
const (
	shaperHeap    = 64 << 20
	maxShapeInput = 64 << 20
)

// shape answers requests until its input ends.
func shape() error {
	s, err := quickjs.NewShaper(quickjs.Config{HeapLimit: shaperHeap})
	if err != nil {
		return err
	}
	for {
		kind, number, payload, err := readShapeRequest()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var answer any
		var text []byte
		switch kind {
		case shapeProgram:
			sh := s.Shape(payload)
			answer, text = sh, sh.Text
		case shapeExplain:
			answer = s.Explain(payload)
		case shapeSyntax:
			var e struct {
				Message string `json:"message"`
				Line    int    `json:"line"`
				Column  int    `json:"column"`
			}
			if err := json.Unmarshal(payload, &e); err != nil {
				return fmt.Errorf("decoding a request: %w", err)
			}
			answer = s.ExplainSyntax(e.Message, e.Line, e.Column)
		case shapePlain:
			s.Plain(string(payload))
		default:
			return fmt.Errorf("a request of kind %q", kind)
		}
		if err := writeShapeAnswer(number, answer, text); err != nil {
			return err
		}
		if kind == shapeProgram {
			// After the answer: nobody waits for it.
			if err := s.Rearm(); err != nil {
				return err
			}
		}
	}
}

func readShapeRequest() (kind byte, number uint32, payload []byte, err error) {
	var head [9]byte
	if _, err := io.ReadFull(rawIn{}, head[:]); err != nil {
		return 0, 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 5 || n > maxShapeInput {
		return 0, 0, nil, fmt.Errorf("a request of %d bytes", n)
	}
	payload = make([]byte, n-5)
	if _, err := io.ReadFull(rawIn{}, payload); err != nil {
		return 0, 0, nil, err
	}
	return head[8], binary.BigEndian.Uint32(head[4:]), payload, nil
}

func writeShapeAnswer(number uint32, answer any, text []byte) error {
	header, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	b := make([]byte, 12, 12+len(header)+len(text))
	binary.BigEndian.PutUint32(b, uint32(8+len(header)+len(text)))
	binary.BigEndian.PutUint32(b[4:], number)
	binary.BigEndian.PutUint32(b[8:], uint32(len(header)))
	b = append(append(b, header...), text...)
	_, err = rawOut{}.Write(b)
	return err
}
