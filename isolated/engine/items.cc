// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/items.h"

#include "isolated/engine/graph/work.h"

namespace casemate::engine {
namespace {

// Then all weights stay in a last-level cache, from which each item reads them again. Measured with
// eight images, time by items to time by layers: on two threads MobileNet, SqueezeNet, GoogLeNet
// and DenseNet-121 (5 to 32 MB) 0.87 to 0.95; Inception V3, ResNet, YOLO, VGG and AlexNet (35 MB
// and more) 1.03 to 1.9. On one, where nobody waits, MobileNet and SqueezeNet (5 to 17 MB) 0.88 to
// 1.0, GoogLeNet (28 MB) 1.1.
constexpr uint64_t kWeightBytesMax = 32 << 20;
constexpr uint64_t kWeightBytesMaxAlone = 20 << 20;
// Each weight is used so often for one item; the MobileNets have 90 and more. Products of single
// rows would be bound by reading weights.
constexpr uint64_t kUsesMin = 64;

uint64_t constant_bytes(const Graph& graph) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < graph.value_count(); ++i) {
    const auto& constant = graph.value({i}).constant;
    if (constant) bytes += constant->byte_count();
  }
  return bytes;
}

}  // namespace

bool better_by_items(const Graph& item, int threads) {
  const uint64_t bytes = constant_bytes(item);
  return bytes <= (threads > 1 ? kWeightBytesMax : kWeightBytesMaxAlone) &&
         operation_count(item, 0) / kUsesMin >= bytes / sizeof(float);
}

}  // namespace casemate::engine
