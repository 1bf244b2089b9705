// SPDX-License-Identifier: Apache-2.0
// Simonyan, Zisserman: "Very deep convolutional networks for large-scale image recognition" (ICLR
// 2015, arXiv 1409.1556), table 1, columns D and E.

#include "base/format.h"
#include "outside/zoo/architectures.h"
#include "outside/zoo/image_network.h"

namespace casemate::zoo {
namespace {

struct Stage {
  int64_t width;
  int layers;
};

// [batch, 3, 224, 224] to [batch, 1000].
Graph vgg(const char* name, const std::vector<Stage>& stages) {
  ImageNetwork net(name, "Simonyan and Zisserman, ICLR 2015, table 1");
  const auto relu = [&](const Map& x) {
    return net.activate(x, x.name + ".relu", Activation::kRelu);
  };
  Map x = net.input(3, 224);
  int number = 1;
  for (const Stage& stage : stages) {
    for (int layer = 1; layer <= stage.layers; ++layer) {
      x = relu(net.conv(x, formatted("conv{}_{}", number, layer),
                        {.outputs = stage.width, .kernel = 3, .pad = 1, .bias = true}));
    }
    x = net.max_pool(x, formatted("pool{}", number++), {});
  }
  x = net.flatten(x, "flatten");
  x = relu(net.linear(x, "fc6", 4096));
  x = relu(net.linear(x, "fc7", 4096));
  net.output(net.linear(x, "fc8", 1000), "output");
  return net.take();
}

}  // namespace

Graph vgg_16() { return vgg("vgg-16", {{64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}}); }
Graph vgg_19() { return vgg("vgg-19", {{64, 2}, {128, 2}, {256, 4}, {512, 4}, {512, 4}}); }

}  // namespace casemate::zoo
