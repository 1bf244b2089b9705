// SPDX-License-Identifier: Apache-2.0
// Bytes through import, shape inference and passes; no kernels.
//
//   build/asan/fuzz/isolated_engine_import_fuzz CORPUS -max_len=8192 -timeout=20
#include <cstdlib>

#include "isolated/engine/model_mutator.h"
#include "isolated/engine/passes/passes.h"
#include "isolated/engine/shape_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace casemate;
  using namespace casemate::engine;
  for (const int64_t batch : {1, 3}) {
    auto graph = shape_model(Bytes(data, size), batch, 256ull << 20);
    // A refusal says why; what is let through is sound before and after the passes.
    if (!graph) {
      if (graph.error().text.empty()) std::abort();
      continue;
    }
    Derivations derivations;
    if (!optimize(*graph, derivations)) std::abort();
  }
  return 0;
}
