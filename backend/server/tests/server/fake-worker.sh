#!/bin/sh
# Plays recspeed-worker for the server's tests. What it does is the spec's name; see the end of the file.
if [ "$1" = probe ]; then
  printf '%s' '{"protocol":1,"versions":{"fake":"1"},"features":[],"devices":[{"engine":"burn","device":"flex","title":"Fake","memory":1000000000,"threads":1}],"recommenders":["mlp","popularity","als-implicit","item-knn","densenet","item-mean"]}'
  exit 0
fi
run= seq=0 at=0 resume= folder=
while [ $# -gt 0 ]; do
  case "$1" in
    --run) run=$2 ;;
    --first-seq) seq=$2 ;;
    --start-us) at=$2 ;;
    --resume) resume=$2 ;;
    --checkpoint-dir) folder=$2 ;;
  esac
  shift 2
done
spec=$(cat)
[ -n "$spec" ] || exit 2
name=${spec#*\"name\":\"}
name=${name%%\"*}
engine='{"kind":"burn","device":"flex","versions":{"fake":"1"},"host":"test","threads":1}'

say() {
  printf '{"run":"%s","seq":%s,"at_us":%s,%s}\n' "$run" "$seq" "$at" "$1"
  seq=$((seq + 1))
  at=$((at + 1000))
}
begin() {
  say "\"kind\":\"started\",\"engine\":$engine,\"seed\":42"
  say '"kind":"phase","phase":"fit"'
}
loss() { say "\"kind\":\"metric\",\"name\":\"loss\",\"split\":\"train\",\"step\":$1,\"epoch\":$1,\"value\":0.5"; }
finish() {
  say "\"kind\":\"finished\",\"summary\":{\"run\":\"$run\",\"status\":\"finished\",\"metrics\":{\"rmse\":${1:-0.25}},\"timing\":{\"load_s\":0.1,\"fit_s\":0.2,\"evaluate_s\":0.3},\"memory\":{\"parameters\":1,\"gradients\":0,\"optimizer\":0,\"activations\":0,\"buffers\":0,\"allocator_total\":2,\"peak\":3},\"engine\":$engine,\"data\":{\"name\":\"d\",\"users\":1,\"items\":2,\"train\":3,\"validation\":${held_out:-0},\"test\":1,\"bad_lines\":0,\"sha256\":\"00\",\"synthetic\":true},\"evaluation\":{\"candidates\":\"c\",\"candidate_items\":2,\"test_users\":1,\"evaluated_users\":1,\"sampled_users\":false,\"cold_users\":0,\"cold_item_rows\":0,\"tie_rule\":\"t\",\"tie_share\":0.0,\"rating_scale\":\"stars\"},\"seed\":42}"
}
fail() { say "\"kind\":\"failed\",\"code\":\"$1\",\"cause\":\"$2\""; }
checkpoint() {
  printf %s "$1" > "$folder/step-$1.ckpt"
  sum=$(sha256sum "$folder/step-$1.ckpt")
  say "\"kind\":\"checkpoint\",\"file\":\"step-$1.ckpt\",\"step\":$1,\"sha256\":\"${sum%% *}\""
}
leave() {
  [ "$name" = checkpoints ] && checkpoint "$step"
  fail cancelled 'Somebody asked it to stop.'
  exit 130
}
# Twenty steps, 50 ms each; goes on where a checkpoint says.
train() {
  step=0
  [ -n "$resume" ] && step=$(cat "$resume")
  while [ "$step" -lt "${1:-20}" ]; do
    sleep 0.05
    step=$((step + 1))
    loss "$step"
    [ "$name" = checkpoints ] && [ $((step % 4)) = 0 ] && checkpoint "$step"
  done
  finish "$step"
}

case "$name" in
  quick) begin; loss 1; loss 2; finish ;;
  # With validation rows.
  held-out-*) held_out=500; begin; finish ;;
  slow | checkpoints) trap leave TERM; begin; train ;;
  # Fails after a checkpoint, then refuses it, then does without.
  refuses)
    begin
    if [ -n "$resume" ]; then touch "$folder/refused"; fail checkpoint 'The checkpoint is of another spec.'; exit 1; fi
    if [ -f "$folder/refused" ]; then finish 7; exit 0; fi
    checkpoint 4; fail internal 'A mistake.'; exit 1 ;;
  endless) trap leave TERM; begin; train 100000 ;;
  stubborn) trap '' TERM; begin; while :; do sleep 0.05; done ;;
  hang) exec sleep 1000 ;;
  rubbish) echo "Segmentation fault (core dumped)"; sleep 1000 ;;
  binary) printf '\377\376\000\001\n'; sleep 1000 ;;
  gap) begin; seq=$((seq + 1)); loss 1; sleep 1000 ;;
  other-run) begin; run=somebody-else; loss 1; sleep 1000 ;;
  after-the-end) begin; finish; loss 9 ;;
  hollow) begin; say "\"kind\":\"finished\",\"summary\":{\"run\":\"$run\",\"status\":\"finished\"}" ;;
  long-line) begin; head -c 3000000 /dev/zero | tr '\0' x; sleep 1000 ;;
  silent) begin; exit 0 ;;
  status7) begin; echo "thread main panicked at shoe.rs" >&2; exit 7 ;;
  killed) begin; kill -9 $$ ;;
  diverged) begin; fail diverged 'The loss became infinite; take a smaller learning rate.'; exit 5 ;;
  # Names a file of this machine, after a while.
  places) begin; sleep 0.5; say '"kind":"warning","message":"`/srv/owner/u.data` came at 2 GB/s."'; fail data 'No /srv/owner/u.data.'; exit 1 ;;
  # Names it without quotation marks, as a sentence that goes on.
  spaced-places) begin; sleep 0.5; say '"kind":"warning","message":"/srv/owner/the ratings has no times."'; fail data 'No rows.'; exit 1 ;;
  stopped-worker) begin; kill -STOP $$; finish ;;
  lingering) begin; sleep 1000 & finish ;;
  stopped-rank) begin; sleep 60 > /dev/null 2>&1 & kill -STOP $!; finish ;;
  closed) begin; finish; exec >&- 2>&-; exec sleep 1000 ;;
  flood) begin; i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); loss $i; done; finish ;;
  bulky) begin; pad=$(head -c 20000 /dev/zero | tr '\0' x); while :; do say "\"kind\":\"log\",\"message\":\"$pad\""; done ;;
  # Each line carries the nanosecond at which it was written.
  stamped) begin; sleep 2; i=0; while [ $i -lt 100 ]; do i=$((i + 1)); say "\"kind\":\"log\",\"message\":\"$(date +%s%N)\""; sleep 0.02; done; finish ;;
  *) begin; fail internal "unknown test"; exit 1 ;;
esac
