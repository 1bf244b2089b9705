// SPDX-License-Identifier: Apache-2.0
// Huang, Liu, van der Maaten, Weinberger: "Densely connected convolutional networks" (CVPR 2017,
// arXiv 1608.06993), section 3 and table 1: DenseNet-BC with growth rate 32.

#include "base/format.h"
#include "outside/zoo/architectures.h"
#include "outside/zoo/image_network.h"

namespace casemate::zoo {
namespace {

constexpr int64_t kGrowth = 32;

Map norm_relu(ImageNetwork& net, const Map& x, const std::string& place,
              const std::string& number) {
  return net.activate(net.norm(x, place + "norm" + number), place + "relu" + number,
                      Activation::kRelu);
}

// The 32 maps that a layer adds to all those before it.
Map layer(ImageNetwork& net, const Map& x, const std::string& place) {
  Map y = net.conv(norm_relu(net, x, place, "1"), place + "conv1", {.outputs = 4 * kGrowth});
  return net.conv(norm_relu(net, y, place, "2"), place + "conv2",
                  {.outputs = kGrowth, .kernel = 3, .pad = 1});
}

Map block(ImageNetwork& net, const Map& x, const std::string& place, int layers) {
  std::vector<Map> features = {x};
  for (int i = 1; i <= layers; ++i) {
    const std::string name = formatted("{}.layer{}", place, i);
    const Map all = i == 1 ? x : net.concat(features, name + ".concat");
    features.push_back(layer(net, all, name + "."));
  }
  return net.concat(features, place);
}

// Half the maps, half as high and wide.
Map transition(ImageNetwork& net, const Map& x, const std::string& place) {
  const Map y = net.conv(norm_relu(net, x, place, ""), place + "conv", {.outputs = x.channels / 2});
  return net.average_pool(y, place + "pool", {});
}

// [batch, 3, 224, 224] to [batch, 1000]; `layers` of each of the four blocks.
Graph densenet(const char* name, const std::vector<int>& layers) {
  ImageNetwork net(name, "Huang et al., CVPR 2017, section 3 and table 1");
  Map x = net.conv(net.input(3, 224), "conv0",
                   {.outputs = 2 * kGrowth, .kernel = 7, .stride = 2, .pad = 3});
  x = net.max_pool(norm_relu(net, x, "", "0"), "pool0", {.kernel = 3, .stride = 2, .pad = 1});
  for (size_t i = 0; i < layers.size(); ++i) {
    x = block(net, x, formatted("denseblock{}", i + 1), layers[i]);
    if (i + 1 < layers.size()) x = transition(net, x, formatted("transition{}.", i + 1));
  }
  x = net.global_average(norm_relu(net, x, "", "5"), "avgpool");
  net.output(net.linear(net.flatten(x, "flatten"), "classifier", 1000), "output");
  return net.take();
}

}  // namespace

Graph densenet_121() { return densenet("densenet-121", {6, 12, 24, 16}); }
Graph densenet_201() { return densenet("densenet-201", {6, 12, 48, 32}); }

}  // namespace casemate::zoo
