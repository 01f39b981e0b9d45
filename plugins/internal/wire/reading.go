package wire

import (
	"errors"
	"math"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// ReadingProto describes a reading, which is valid.
func ReadingProto(r *reading.Reading) *pluginpb.Reading {
	p := &pluginpb.Reading{Site: r.Site, Line: r.Line, Device: r.Device, Tag: r.Tag, Time: r.Time, Quality: r.Quality, Seq: r.Seq}
	switch r.Value.Kind() {
	case reading.Float:
		p.Value = &pluginpb.Reading_FloatBits{FloatBits: math.Float64bits(r.Value.Float())}
	case reading.Int:
		p.Value = &pluginpb.Reading_Int{Int: r.Value.Int()}
	case reading.Bool:
		p.Value = &pluginpb.Reading_Bool{Bool: r.Value.Bool()}
	case reading.Text:
		p.Value = &pluginpb.Reading_Text{Text: r.Value.Text()}
	case reading.None:
	}
	return p
}

// ReadingFrom is the reading that was described. The error says why it is not valid.
func ReadingFrom(p *pluginpb.Reading) (reading.Reading, error) {
	if p == nil {
		return reading.Reading{}, errors.New("it is missing")
	}
	r := reading.Reading{Site: p.Site, Line: p.Line, Device: p.Device, Tag: p.Tag, Time: p.Time, Quality: p.Quality, Seq: p.Seq}
	switch v := p.Value.(type) {
	case *pluginpb.Reading_FloatBits:
		r.Value = reading.OfFloat(math.Float64frombits(v.FloatBits))
	case *pluginpb.Reading_Int:
		r.Value = reading.OfInt(v.Int)
	case *pluginpb.Reading_Bool:
		r.Value = reading.OfBool(v.Bool)
	case *pluginpb.Reading_Text:
		r.Value = reading.OfText(v.Text)
	}
	return r, r.Validate()
}
