#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything CI runs. Goes on after a failure, so that one run shows all of them; ends with a count.
. "$(dirname "$0")/lib.sh"
passed=0 failed=0
fuzz_seconds=${CASEMATE_FUZZ_SECONDS:-20}

heading() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
pass() { passed=$((passed + 1)); printf 'ok      %s\n' "$1"; }
fail() { failed=$((failed + 1)); printf 'FAILED  %s\n' "$1"; }
step() { local name=$1; shift; if "$@"; then pass "$name"; else fail "$name"; fi; }

# count_tests PRESET [ctest argument ...]: runs tests and adds their numbers.
count_tests() {
  local preset=$1 log=build/$1-tests.log; shift
  ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)" "$@" >"$log" 2>&1 || true
  local line
  line=$(grep -E 'tests? (passed|failed)' "$log" | tail -n 1)
  local total bad
  bad=$(sed -nE 's/.* ([0-9]+) tests? failed out of.*/\1/p' <<<"$line")
  total=$(sed -nE 's/.*failed out of ([0-9]+).*/\1/p' <<<"$line")
  if [ -z "$total" ]; then tail -n 40 "$log"; fail "tests of $preset did not run"; return; fi
  passed=$((passed + total - bad)) failed=$((failed + bad))
  printf '%s tests of %s, %s failed\n' "$total" "$preset" "$bad"
  grep -E '\(Skipped\)|\*\*\*Skipped' "$log" | sed 's/^/  skipped: /' | sort -u | head -n 40 || true
  if [ "$bad" != 0 ]; then
    sed -n '/The following tests FAILED/,$p' "$log"
    grep -B2 -A12 -E 'Failure$|ERROR: .*Sanitizer|WARNING: ThreadSanitizer' "$log" | head -n 200 || true
  fi
}

heading format
step format tools/dev/fmt.sh --check

heading build
if build release; then pass "build release"; else fail "build release"; fi

heading tests
count_tests release
step "TCB size" tools/dev/size.sh

heading "AddressSanitizer and UndefinedBehaviorSanitizer"
if build asan; then
  pass "build asan"
  # Tests with real jails need programs that run behind the filters, which sanitizer runtimes do not.
  ASAN_OPTIONS=detect_leaks=1 count_tests asan -E '^(style|tests_)|SecretHeap|Lockdown'
else fail "build asan"; fi

heading ThreadSanitizer
# libgomp synchronises in ways that the sanitizer cannot see, so kernels are left to the others.
tsan_targets=(base_test wire_srpc_test isolated_gateway_serving_test outside_client_test)
if build tsan "${tsan_targets[@]}"; then
  pass "build tsan"
  # Not where memory vanishes: the sanitizer holds its own locks across an access that faults.
  count_tests tsan -R '^(base_test|wire_srpc_test|isolated_gateway_serving_test|outside_client_test)\.' \
    -E 'revoking_wakes_both_sleepers'
else fail "build tsan"; fi

heading "fuzzing, $fuzz_seconds s each"
if build fuzz; then
  pass "build fuzz"
  for fuzzer in build/fuzz/fuzz/*; do
    name=$(basename "$fuzzer")
    mkdir -p "build/fuzz/corpus/$name"
    step "fuzz $name" sh -c "$fuzzer -max_total_time=$fuzz_seconds -timeout=20 -rss_limit_mb=4096 \
      -artifact_prefix=build/fuzz/ build/fuzz/corpus/$name >build/fuzz/$name.log 2>&1 || { tail -n 30 build/fuzz/$name.log; false; }"
  done
else fail "build fuzz"; fi

heading done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
