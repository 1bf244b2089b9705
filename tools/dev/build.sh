#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
preset=${1:-release}
[ $# -gt 0 ] && shift
build "$preset" "$@"
echo "built build/$preset"
