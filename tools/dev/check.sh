#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything CI runs. Goes on after a failure, so that one run shows all of them; ends with a count.
. "$(dirname "$0")/lib.sh"
. tools/dev/count_tests.sh
passed=0 failed=0 skipped=0
fuzz_seconds=${CASEMATE_FUZZ_SECONDS:-10}

heading() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
pass() { passed=$((passed + 1)); printf 'ok      %s\n' "$1"; }
fail() { failed=$((failed + 1)); printf 'FAILED  %s\n' "$1"; }
step() { local name=$1; shift; if "$@"; then pass "$name"; else fail "$name"; fi; }

heading format
step format tools/dev/fmt.sh --check

heading build
if build release; then pass "build release"; else fail "build release"; fi

heading tests
count_tests release
step "TCB size" tools/dev/size.sh

heading "ONNX's published tests"
# The page is what the run writes; what is committed must say the same.
conformance() {
  build/release/bin/casemate-conformance /usr/share/libonnx-testdata/data -o build/conformance.md &&
    diff docs/conformance.md build/conformance.md
}
step conformance conformance

heading "AddressSanitizer and UndefinedBehaviorSanitizer"
if build asan unit_tests fuzzers; then
  pass "build asan"
  # Tests with real jails need programs that run behind the filters, which sanitizer runtimes do not.
  ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=$PWD/tools/dev/leaks.supp:print_suppressions=0 \
    count_tests asan -E '^(style|dev|tests_)|SecretHeap|Lockdown'
else fail "build asan"; fi

heading ThreadSanitizer
tsan_targets=(base_test isolated_srpc_test isolated_engine_threads_test isolated_gateway_serving_test outside_client_test outside_proxy_test)
if build tsan "${tsan_targets[@]}"; then
  pass "build tsan"
  # Not where memory vanishes: the sanitizer holds its own locks across an access that faults.
  count_tests tsan -R '^(base_test|isolated_srpc_test|isolated_engine_threads_test|isolated_gateway_serving_test|outside_client_test|outside_proxy_test)\.' \
    -E 'revoking_wakes_both_sleepers|a_sleeper_sees_the_end'
else fail "build tsan"; fi

# What mutations of models start from: ONNX's published ones, some of them where time is short.
seeds=build/asan/seeds
gather_seeds() {
  local every=$1 at=0
  rm -rf "$seeds" && mkdir -p "$seeds"
  find /usr/share/libonnx-testdata/data -name model.onnx -size -8k | sort | while read -r model; do
    at=$((at + 1))
    [ $((at % every)) -ne 0 ] || cp "$model" "$seeds/$at.onnx"
  done
}

# fuzz FUZZER: one run of one fuzzer; what it printed, where it found something.
fuzz() {
  local fuzzer=$1 name log
  name=$(basename "$fuzzer") log=build/asan/$name.log
  local corpus=build/asan/corpus/$name
  mkdir -p "$corpus"
  local inputs=("$corpus")
  case $name in isolated_engine_import_fuzz | isolated_engine_run_fuzz) inputs=(-max_len=8192 "$corpus" "$seeds") ;; esac
  "$fuzzer" -max_total_time="$fuzz_seconds" -timeout=20 -rss_limit_mb=4096 -artifact_prefix=build/asan/ \
    "${inputs[@]}" >"$log" 2>&1 && return
  tail -n 30 "$log"
  return 1
}

heading "fuzzing, $fuzz_seconds s each"
if [ -n "$(ls build/asan/fuzz 2>/dev/null)" ]; then
  gather_seeds $((fuzz_seconds < 60 ? 8 : 1))
  # As many at a time as there are cores; each is waited for, and answers for itself.
  running=()
  settle() { step "fuzz ${running[0]#* }" wait "${running[0]% *}"; running=("${running[@]:1}"); }
  for fuzzer in build/asan/fuzz/*; do
    [ "${#running[@]}" -lt "$(nproc)" ] || settle
    fuzz "$fuzzer" &
    running+=("$! $(basename "$fuzzer")")
  done
  while [ "${#running[@]}" -gt 0 ]; do settle; done
else fail "no fuzzer was built"; fi

heading done
printf 'skipped: %d\n' "$skipped"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
