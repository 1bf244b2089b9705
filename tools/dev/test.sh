#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
build release
exec ctest --test-dir build/release --output-on-failure -j "$(nproc)" ${1:+-R "$1"}
