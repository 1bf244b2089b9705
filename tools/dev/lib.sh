# SPDX-License-Identifier: Apache-2.0
# What the verbs share. Sourced, not run.
set -euo pipefail
source_dir=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
cd "$source_dir"
# Checkouts share compiled objects wherever they lie.
export CCACHE_BASEDIR=$source_dir CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=include_file_ctime,include_file_mtime,pch_defines,time_macros

# build PRESET: configures when needed, builds, and prints only what matters when it goes well.
build() {
  local preset=$1; shift || true
  local log=$source_dir/build/$preset.log
  mkdir -p "$source_dir/build"
  if [ ! -f "build/$preset/build.ninja" ]; then
    cmake --preset "$preset" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
  fi
  if [ -t 1 ]; then ninja -C "build/$preset" "$@"
  else ninja -C "build/$preset" "$@" >"$log" 2>&1 || { grep -av '^\[' "$log" | tail -n 60 >&2; return 1; }; fi
}
