#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
[ $# -gt 0 ] || set -- bash
exec "$@"
