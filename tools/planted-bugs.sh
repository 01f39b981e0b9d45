#!/usr/bin/env bash
# Plants one bug at a time and checks that a test fails because of it. Nothing
# in the work tree changes: the bugged file reaches the compiler as an overlay.
set -uo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
missed=0

# plant NAME FILE PERL-SUBSTITUTION TEST-ARGUMENTS...
plant() {
  local name=$1 file=$2 change=$3
  shift 3
  perl -0pe "$change" "$file" >"$work/bugged.go"
  if cmp -s "$file" "$work/bugged.go"; then
    echo "PLANT $name: the code in $file has changed and the bug no longer applies: renew it here" >&2
    missed=1
    return
  fi
  printf '{"Replace":{"%s":"%s"}}' "$PWD/$file" "$work/bugged.go" >"$work/overlay.json"
  if ! go build -overlay "$work/overlay.json" "./$(dirname "$file")" >"$work/out" 2>&1; then
    echo "PLANT $name: does not compile" >&2
    cat "$work/out" >&2
    missed=1
  elif go test -vet=off -overlay "$work/overlay.json" -timeout 120s "$@" >"$work/out" 2>&1; then
    echo "MISSED $name: $* passes with the bug" >&2
    missed=1
  else
    printf 'caught  %-45s by %s\n' "$name" "$(grep -oE -- '--- FAIL: [^ ]+' "$work/out" | head -1 | cut -d' ' -f3)"
  fi
}

plant 'acknowledged before it is durable' feed/entry.go \
  's/return e\.transformed && e\.open == 0/return e.transformed/' -run TestModel ./feed
plant 'suffix lost on retry' feed/delivery.go \
  's/(\t\tretries\+\+\n)/\t\to.done = retries > 0\n$1/' -run 'TestModel' ./feed
plant 'in flight derived instead of counted' feed/tally.go \
  's/for _, w := range l\.open \{\n\t\ta\.InFlight.*?\n\t\}/a.InFlight = a.Received - a.Delivered - Total(a.Filtered) - Total(a.Quarantined) - Total(a.Returned)\n\t_ = bits.OnesCount64/s' ./feed
plant 'refusal 0x87 ignored' stages/mqtt/conn.go \
  's/if refused\(code\) \{/if refused(code) \&\& code != 0x87 {/' -short ./stages/mqtt
plant 'multiple-ack past an unsettled delivery' stages/amqp/acks.go \
  's/head, _ := slices\.BinarySearch\(a\.owed, below\)/head := len(a.owed); _ = below/' -short ./stages/amqp
plant 'committed before the quarantine has its part' feed/progress.go \
  's/ \|\| len\(r\.condemned\) > 0/ || false/' -run TestStream ./feed
plant 'hash at the committed offset not compared' feed/progress.go \
  's/offset == committed\.Offset && positionOf\(d\) != \*committed/false/' -run TestStream ./feed
plant 'a range bounded by what is read of it' feed/progress.go \
  's/return max\(p\.inHand, len\(r\.queue\)\), max\(p\.bytes, p\.made\)/return p.inHand, p.bytes/' -run TestStreamRanges ./feed
plant 'offsets that the broker uses are lost' feed/progress.go \
  's/earliest >= g\.from/earliest+1 > 0/' -run TestStreamKnowsLoss ./feed
plant 'committed before its objects' stages/blob/exact.go \
  's/(\tif err == nil \{\n\t\terr = parallel.*?\n\t\}\n)(\tif err == nil \{\n\t\terr = s\.checkpoint\.commit.*?\n\t\}\n)/$2$1/s' -short -run Crash ./stages/blob
plant 'transforms told before the source has settled' feed/window.go \
  's/(\terr := r\.sub\.Settle\(ctx, r\.settlements\)\n)\tif err == nil \{\n\t\tr\.tellTransforms\(\)\n\t\}\n/\tr.tellTransforms()\n$1/' -run TestTransformIsTold ./feed
plant 'a contradicting reading dropped' stages/postgres/writer.go \
  's/return w\.compare\(ctx, points\)/return nil/' -run TestConflict ./stages/postgres
plant 'a range finished with other messages in its objects' stages/blob/checkpoint.go \
  's/r\.Name == o\.name && r\.Holds == o\.holds/r.Name == o.name/' -short -run TestObjectsOfOther ./stages/blob
plant 'exclusive or in the place of a sum' feed/validate/digest.go \
  's/return digest\{hi, lo\}\n\}\n\nfunc \(d digest\) compare/return digest{d.hi ^ e.hi + 0*hi, d.lo ^ e.lo + 0*lo}\n}\n\nfunc (d digest) compare/' ./feed/validate
plant 'windows compared by their counts alone' feed/validate/pass.go \
  's/e\.count == o\.count && e\.sum == o\.sum/e.count == o.count/' ./feed/validate
plant 'what cannot be read is no doubt' feed/validate/descent.go \
  's/\th\.doubts\.add\(p\.Unreadable\)\n//' ./feed/validate
exit $missed
