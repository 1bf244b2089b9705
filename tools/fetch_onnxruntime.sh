#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the path of libonnxruntime as npm's onnxruntime-node has it, which is fetched once. Only
# benchmarks use it. Says why and fails where npm is missing or reaches nothing.
set -euo pipefail
version=1.30.0
case $(uname -m) in x86_64) machine=x64 ;; aarch64) machine=arm64 ;; *) echo "dev: no ONNX Runtime for $(uname -m)" >&2; exit 1 ;; esac
kept=${XDG_CACHE_HOME:-$HOME/.cache}/casemate/onnxruntime-$version
library=$kept/libonnxruntime.so.1
if [ ! -f "$library" ]; then
  command -v npm >/dev/null || { echo "dev: ONNX Runtime $version comes from npm, which is not installed: benchmarks that need it say so." >&2; exit 1; }
  mkdir -p "$kept"
  scratch=$(mktemp -d "$kept/fetching.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  echo "dev: fetching ONNX Runtime $version once ($kept)" >&2
  package=$(cd "$scratch" && npm pack --silent "onnxruntime-node@$version") ||
    { echo "dev: npm could not fetch onnxruntime-node $version." >&2; exit 1; }
  tar -xzf "$scratch/$package" -C "$scratch" --strip-components=5 "package/bin/napi-v6/linux/$machine/libonnxruntime.so.1"
  mv "$scratch/libonnxruntime.so.1" "$library"
fi
printf '%s\n' "$library"
