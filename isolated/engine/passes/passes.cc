// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/passes/passes.h"

#include <array>

#include "base/format.h"

namespace casemate::engine {

namespace {

// A pass that makes no constants.
template <void (*pass)(Graph& graph)>
void plain(Graph& graph, Derivations&) {
  pass(graph);
}

}  // namespace

std::span<const Pass> passes() {
  // What constants were dequantised from is known to the first pass alone. Then identities and
  // constants, for they hide what others look for. Arithmetic is folded into weights before
  // activations are fused behind it.
  static constexpr std::array kPasses = std::to_array<Pass>({
      {"fuse quantised products", plain<fuse_quantised_products>},
      {"remove identities", plain<remove_identities>},
      {"fuse quantised values", plain<fuse_quantised_values>},
      {"fuse quantised sums", plain<fuse_quantised_sums>},
      {"fuse dynamic quantisation", plain<fuse_dynamic_quantisation>},
      {"fuse Gelu", plain<fuse_gelu>},
      {"fuse layer normalization", plain<fuse_layer_normalization>},
      {"turn MatMul into Gemm", plain<turn_matmul_into_gemm>},
      {"unflatten products", plain<unflatten_products>},
      {"remove identities again", plain<remove_identities>},
      {"fuse attention", plain<fuse_attention>},
      {"copy once", plain<copy_once>},
      {"fold padding", plain<fold_padding>},
      {"fold batch normalization", fold_batch_normalization},
      {"fold channel arithmetic", fold_channel_arithmetic},
      {"turn normalization into convolution", turn_normalization_into_convolution},
      {"chain concatenations", plain<chain_concatenations>},
      {"absorb flattening", plain<absorb_flattening>},
      {"fuse post-operations", plain<fuse_post_operations>, plain<fuse_into_own_loops>},
      {"fuse separable convolutions", plain<fuse_separable_convolutions>},
  });
  return kPasses;
}

Status optimize(Graph& graph, Derivations& derivations, Fusion fusion) {
  for (const Pass& pass : passes()) {
    const bool own = fusion == Fusion::kOwnLoops && pass.for_own_loops != nullptr;
    (own ? pass.for_own_loops : pass.run)(graph, derivations);
    graph.remove_dead();
    const Status sound = graph.sound();
    if (!sound) {
      return Error{sound.error().code,
                   formatted("after the pass '{}': {}", pass.name, sound.error().text)};
    }
  }
  return {};
}

}  // namespace casemate::engine
