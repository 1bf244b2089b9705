#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
build release
# Tables of which a run draws a few rows, in full; for so long nobody waits in a check.
if [ "${1:-}" = --whole ]; then
  export CASEMATE_WHOLE=1 CASEMATE_ROUNDS=${CASEMATE_ROUNDS:-1000} CASEMATE_BUILD=$source_dir/build/release CASEMATE_SOURCE=$source_dir
  failed=0
  for program in build/release/tests/{attack,divided,fault,system}/*_test build/release/outside/verify{,/intel}/*_test; do
    "$program" --gtest_brief=1 --gtest_filter="${2:-*Matrix*:Shortage*:HostilePartition*:*hundreds_of_restarts*:RunProgram*:Vectors.with_any*:*PublishedVector*}" || failed=1
  done
  exit "$failed"
fi
exec ctest --test-dir build/release --output-on-failure -j "$(nproc)" ${1:+-R "$1"}
