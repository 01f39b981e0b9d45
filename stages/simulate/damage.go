package simulate

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// damage is how a copy of a batch is damaged.
type damage uint8

const (
	bitFlip damage = iota
	truncation
	wrongCount
	bomb

	damages
)

// damageOf returns how a batch is damaged. There is nothing to leave out of a
// single reading.
func damageOf(k key, rs []reading.Reading) damage {
	how := damage(k.with(0).below(int64(damages)))
	if how == wrongCount && len(rs) == 1 {
		return bitFlip
	}
	return how
}

// damage appends a copy of a batch that nobody can unpack.
func (d *device) damage(dst []byte, k key, sequence uint64, rs []reading.Reading) ([]byte, error) {
	start, how := len(dst), damageOf(k, rs)
	switch how {
	case wrongCount:
		return batch.Append(dst, short{d.codec}, d.name, sequence, rs)
	case bomb:
		body, err := bombBody()
		if err != nil {
			return dst, err
		}
		return batch.Append(dst, made{batch.JSONZstd(), body}, d.name, sequence, rs)
	}
	dst, err := batch.Append(dst, d.codec, d.name, sequence, rs)
	if err != nil {
		return dst, err
	}
	at := start + int(k.with(1).below(int64(len(dst)-start)))
	if how == truncation {
		return dst[:at], nil
	}
	dst[at] ^= 1 << k.with(2).below(8)
	return dst, nil
}

// short leaves the last reading out, so that the envelope counts one too many.
type short struct{ batch.Codec }

func (s short) Append(dst []byte, rs []reading.Reading) ([]byte, error) {
	return s.Codec.Append(dst, rs[:len(rs)-1])
}

// made has a body already.
type made struct {
	batch.Codec
	body []byte
}

func (m made) Append(dst []byte, _ []reading.Reading) ([]byte, error) {
	return append(dst, m.body...), nil
}

// bombBytes is what a bomb is unpacked to: more than anybody should allow.
const bombBytes = 256 << 20

// bombBody is a body of json+zstd that is a few kilobytes long, until it is
// unpacked.
var bombBody = sync.OnceValues(func() ([]byte, error) {
	var packed bytes.Buffer
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	z.ResetContentSize(&packed, bombBytes) // as who is honest says
	zeros := make([]byte, 1<<20)
	for range bombBytes / len(zeros) {
		if _, err := z.Write(zeros); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
})

// contradict changes one value, so that the batch conflicts with the one it was.
func contradict(k key, rs []reading.Reading) {
	r := &rs[k.with(3).below(int64(len(rs)))]
	other := reading.OfInt(k.with(4).below(1 << 40))
	if other == r.Value {
		other = reading.Value{}
	}
	r.Value = other
}

// appendGarbage appends bytes that are no batch.
func appendGarbage(dst []byte, k key) []byte {
	dst = append(dst, '!') // no frame begins so
	for i := range k.with(5).below(2000) {
		dst = append(dst, byte(k.with(6).with(uint64(i))))
	}
	return dst
}
