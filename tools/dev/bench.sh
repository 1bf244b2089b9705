#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures, with the peers beside us; see tests/perf/bench.
. "$(dirname "$0")/lib.sh"
build release
if [ ! -f build/peers/build.ninja ]; then
  cmake -S tests/perf/peers -B build/peers -G Ninja -DCMAKE_BUILD_TYPE=Release >build/peers.log 2>&1 ||
    { cat build/peers.log >&2; exit 3; }
fi
ninja -C build/peers >build/peers.log 2>&1 || { tail -n 40 build/peers.log >&2; exit 3; }
# The toolchain root has no alternatives, which is how NumPy would find a BLAS.
for blas in /usr/lib/*/openblas-openmp; do
  if [ -e "$blas/libblas.so.3" ]; then export LD_LIBRARY_PATH=$blas${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; fi
done
exec python3 tests/perf/bench/main.py "$@"
