package plugins

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A Cancel is for the question before it, begun or not, and for no other.
func TestCancelIsForOneQuestion(t *testing.T) {
	i := newInbox()
	ask := func(cancelBefore, cancelMeanwhile bool) (cancelled bool) {
		i.put(&pluginpb.SourceRequest{Request: &pluginpb.SourceRequest_Settle{}})
		if cancelBefore {
			i.cancelQuestion()
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if r, _, _ := i.take(cancel); r.GetRequest() == nil || ctx.Err() != nil {
			t.Fatalf("took %v, %v", r, ctx.Err())
		}
		i.question(cancel)
		if cancelMeanwhile {
			i.cancelQuestion()
		}
		i.answered()
		return ctx.Err() != nil
	}
	for n, c := range []struct{ before, meanwhile, want bool }{
		{}, {before: true, want: true}, {}, {meanwhile: true, want: true}, {},
	} {
		if got := ask(c.before, c.meanwhile); got != c.want {
			t.Errorf("question %d: cancelled %v", n, got)
		}
	}
	i.put(&pluginpb.SourceRequest{Request: &pluginpb.SourceRequest_Credit{Credit: &pluginpb.Credit{}}})
	i.cancelQuestion() // there is none any more
	i.take(func() {})
	if ask(false, false) {
		t.Error("a Cancel behind an answer cancels the next question")
	}
}
