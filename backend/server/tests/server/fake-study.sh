#!/bin/sh
# Plays `recspeed study NAME --json --home DIR --worker PATH` for the server's tests. What it does stands in the file `plays`
# of the lab's folder.
[ "$1" = study ] || exit 2
name=$2 home=
while [ $# -gt 0 ]; do
  [ "$1" = --home ] && home=$2
  shift
done
say() { echo "$1" >&2; }
report() {
  printf '{"study":"%s","title":"T","question":"Q?","measured_ms":5,"command":"recspeed study %s",' "$name" "$name"
  printf '"machine":{"host":"test","versions":{}},"conditions":[],"tables":[],"differences":[]}\n'
}
say "[0/2] The first measurement begins"
case $(cat "$home/plays") in
  quick) say "[1/2] Burn: 0.1 s"; report ;;
  rubbish) echo "no report" ;;
  fails) say "recspeed: the disk is full"; exit 1 ;;
  waits) while [ ! -e "$home/go" ]; do sleep 0.02; done; report ;;
  # A worker in a group of its own, as the real one starts it, and no ear for a polite end.
  deaf) trap '' TERM; setsid sleep 300 & echo $! >"$home/left"; while :; do sleep 1; done ;;
esac
