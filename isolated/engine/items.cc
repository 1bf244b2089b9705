// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/items.h"

#include "isolated/engine/graph/work.h"

namespace casemate::engine {
namespace {

// Then all weights stay in a last-level cache, from which each item reads them again. Measured on
// two threads and eight images, time by items to time by layers: MobileNet, SqueezeNet, GoogLeNet
// and DenseNet-121 (5 to 32 MB) 0.92 to 0.95; Inception V3, ResNet, YOLO, VGG and AlexNet (35 MB
// and more) 1.03 to 1.9.
constexpr uint64_t kWeightBytesMax = 32 << 20;
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
  return threads > 1 && bytes <= kWeightBytesMax &&
         operation_count(item, 0) / kUsesMin >= bytes / sizeof(float);
}

}  // namespace casemate::engine
