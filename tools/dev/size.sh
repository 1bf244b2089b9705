#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Lines of the trusted computing base, comments included: base, wire and trusted, without tests and benchmarks.
. "$(dirname "$0")/lib.sh"
limit=10000 total=0
for level in base wire trusted; do
  lines=$(find "$level" -name '*.h' -o -name '*.cc' -o -name '*.policy' | grep -vE '_(test|fuzz|bench)\.cc$' | xargs cat | wc -l)
  printf '%-8s %6d\n' "$level" "$lines"
  total=$((total + lines))
done
printf '%-8s %6d of %d\n' TCB "$total" "$limit"
[ "$total" -le "$limit" ] || { echo "dev: the TCB has grown beyond its limit: move what need not be trusted, or delete it." >&2; exit 1; }
