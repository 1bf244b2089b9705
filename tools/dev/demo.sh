#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The whole product in a minute: serve, attest, infer, refuse, kill under load, recover.
. "$(dirname "$0")/lib.sh"
build release
bin=$source_dir/build/release/bin
scratch=$(mktemp -d /tmp/casemate-demo-XXXXXX)
export CASEMATE_RUN=$scratch/run CASEMATE_STATE=$scratch/state
server=
cleanup() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$scratch"
}
trap cleanup EXIT
wrong() { printf 'dev: the demo went wrong: %s.\n' "$*" >&2; exit 1; }
say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
show() { printf '$ casemate %s\n' "$*"; "$bin/casemate" "$@"; }

say "Serve a repository of models, each in a partition of its own"
mkdir "$CASEMATE_RUN" && chmod 700 "$CASEMATE_RUN"
printf '$ casemate serve --models models\n'
"$bin/casemate" serve --models models --listen 127.0.0.1:0 >"$scratch/log" 2>&1 &
server=$!
for _ in $(seq 600); do grep -q '^watch:' "$scratch/log" && break; kill -0 "$server" 2>/dev/null || break; sleep 0.1; done
cat "$scratch/log"
url=$(sed -n 's/^serving on //p' "$scratch/log")
[ -n "$url" ] || { echo "dev: the server did not start; its lines above say why." >&2; exit 3; }

say "Who is there, and can it be trusted? (the first lines of the verdict)"
printf '$ casemate attest %s --model digits --allow-software-root\n' "$url"
"$bin/casemate" attest "$url" --model digits --allow-software-root | sed -n 1,8p

say "A client that accepts only real hardware refuses this server, before it sends anything"
code=0
show infer "$url" digits --input models/pictures/digit-4.png 2>&1 | tee "$scratch/refusal" || code=$?
printf '(exit code %s)\n' "$code"
[ "$code" = 1 ] && grep -q 'refused: root\.kind' "$scratch/refusal" ||
  wrong "a client that accepts only real hardware was not refused for the software root"

say "A client that was told that this is a development machine"
right=0 all=0
for picture in models/pictures/digit-[0-9].png; do
  digit=$(basename "$picture" .png | cut -d- -f2)
  answer=$("$bin/casemate" infer "$url" digits --input "$picture" --top 1 --allow-software-root 2>&1) ||
    wrong "a client that accepts a development machine was refused: $answer"
  first=$(awk '/^  / {print $1 " " $2; exit}' <<<"$answer")
  printf '%s  ->  %s\n' "$picture" "$first"
  all=$((all + 1))
  if [ "${first%% *}" = "$digit" ]; then right=$((right + 1)); fi
done
printf '%s of %s pictures named correctly\n' "$right" "$all"

python3 tools/dev/make_npy.py "$scratch/digit.npy" 0.5 1 1 28 28
say "Kill the model's partition under a load of 200 requests per second"
"$bin/casemate-load" "$url" digits "image=$scratch/digit.npy" 200 6 >"$scratch/load" 2>&1 &
load=$!
sleep 2
show kill digits
sleep 2
show kill digits
failed=0
wait "$load" || failed=1
cat "$scratch/load"
say "What the monitor saw"
show status
grep 'running again' "$scratch/log" || wrong "the monitor names no time in which a killed partition was running again"
[ "$failed" = 0 ] || wrong "a request failed while the model's partition was killed"
[ "$right" = "$all" ] || wrong "$((all - right)) of $all digits were misread"
say "No request failed. The demo is over and cleans up."
