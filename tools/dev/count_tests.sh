# SPDX-License-Identifier: Apache-2.0
# Runs tests and counts them. Sourced by check.sh, whose `passed`, `failed`, `skipped` and fail() it uses.

# skipped_in LOG: each skipped test of ctest's own log, with the reason that it gave.
skipped_in() {
  awk '/^[0-9]+\/[0-9]+ Test: / { name = $3 }
       reason { print "  skipped: " name ": " $0; reason = 0 }
       /: Skipped$/ { reason = 1 }' "$1"
}

# count_tests PRESET [ctest argument ...]: runs tests and adds their numbers. What was skipped has not
# passed.
count_tests() {
  local preset=$1 log=build/$1-tests.log line total bad left; shift
  ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)" "$@" >"$log" 2>&1 || true
  line=$(grep -E 'tests? failed out of [0-9]+' "$log" | tail -n 1) || true
  bad=$(sed -nE 's/.* ([0-9]+) tests? failed out of.*/\1/p' <<<"$line")
  total=$(sed -nE 's/.*failed out of ([0-9]+).*/\1/p' <<<"$line")
  if [ -z "$total" ] || [ -z "$bad" ]; then tail -n 40 "$log"; fail "tests of $preset did not run"; return; fi
  left=$(sed -n '/^The following tests did not run:/,/^$/p' "$log" | grep -cE '\((Skipped|Disabled)\)$') || true
  passed=$((passed + total - bad - left)) failed=$((failed + bad)) skipped=$((skipped + left))
  printf '%s tests of %s, %s failed, %s skipped\n' "$total" "$preset" "$bad" "$left"
  if [ "$left" != 0 ]; then skipped_in "build/$preset/Testing/Temporary/LastTest.log" || true; fi
  if [ "$bad" != 0 ]; then
    sed -n '/The following tests FAILED/,$p' "$log"
    grep -B2 -A12 -E 'Failure$|ERROR: .*Sanitizer|WARNING: ThreadSanitizer' "$log" | head -n 200 || true
  fi
}
