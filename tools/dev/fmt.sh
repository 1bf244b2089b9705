#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fmt: formats in place; fmt --check: exits 1 and names the files that are not formatted.
. "$(dirname "$0")/lib.sh"
mode=(-i)
[ "${1:-}" = --check ] && mode=(--dry-run --Werror)
git ls-files -co --exclude-standard '*.cc' '*.h' | xargs -r clang-format-19 "${mode[@]}"
