// SPDX-License-Identifier: Apache-2.0
// Howard et al.: "MobileNets: efficient convolutional neural networks for mobile vision
// applications" (arXiv 1704.04861, 2017), section 3.2 and table 1; and Sandler et al.:
// "MobileNetV2: inverted residuals and linear bottlenecks" (CVPR 2018, arXiv 1801.04381), section 4
// and table 2. Both with width multiplier 1.

#include "base/format.h"
#include "outside/zoo/architectures.h"
#include "outside/zoo/image_network.h"

namespace casemate::zoo {
namespace {

Map conv_norm(ImageNetwork& net, const Map& x, const std::string& name, const Convolution& shape,
              double scale = 1) {
  return net.norm(net.conv(x, name, shape), name + ".bn", {.scale = scale});
}

Map activated(ImageNetwork& net, const Map& x, Activation activation) {
  return net.activate(x, x.name + ".relu", activation);
}

Convolution depthwise(const Map& x, int64_t stride) {
  return {.outputs = x.channels, .kernel = 3, .stride = stride, .pad = 1, .groups = x.channels};
}

Map classified(ImageNetwork& net, const Map& x) {
  return net.linear(net.flatten(net.global_average(x, "avgpool"), "flatten"), "classifier", 1000);
}

// Figure 3 of the first paper, right.
Map separable(ImageNetwork& net, const Map& x, const std::string& place, int64_t outputs,
              int64_t stride) {
  const Map y = activated(net, conv_norm(net, x, place + ".depthwise", depthwise(x, stride)),
                          Activation::kRelu);
  return activated(net, conv_norm(net, y, place + ".pointwise", {.outputs = outputs}),
                   Activation::kRelu);
}

// Table 1 of the second paper; a branch that is added counts half.
Map inverted(ImageNetwork& net, const Map& x, const std::string& place, int64_t expansion,
             int64_t outputs, int64_t stride) {
  const bool added = stride == 1 && x.channels == outputs;
  Map y = x;
  if (expansion != 1) {
    y = conv_norm(net, y, place + ".expand", {.outputs = expansion * x.channels});
    y = activated(net, y, Activation::kRelu6);
  }
  y = conv_norm(net, y, place + ".depthwise", depthwise(y, stride));
  y = activated(net, y, Activation::kRelu6);
  y = conv_norm(net, y, place + ".project", {.outputs = outputs}, added ? 0.5 : 1);
  return added ? net.add(x, y, place + ".add") : y;
}

// A row of table 2: t, c, n, s.
struct Row {
  int64_t expansion, channels, repeats, stride;
};

}  // namespace

// [batch, 3, 224, 224] to [batch, 1000].
Graph mobilenet_v1() {
  ImageNetwork net("mobilenet-v1", "Howard et al., arXiv 1704.04861, section 3.2 and table 1");
  Map x = conv_norm(net, net.input(3, 224), "conv1",
                    {.outputs = 32, .kernel = 3, .stride = 2, .pad = 1});
  x = activated(net, x, Activation::kRelu);
  const std::vector<std::pair<int64_t, int64_t>> layers = {
      {64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
      {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
  int number = 2;
  for (const auto& [outputs, stride] : layers)
    x = separable(net, x, formatted("conv{}", number++), outputs, stride);
  net.output(classified(net, x), "output");
  return net.take();
}

// [batch, 3, 224, 224] to [batch, 1000].
Graph mobilenet_v2() {
  ImageNetwork net("mobilenet-v2", "Sandler et al., CVPR 2018, section 4 and table 2");
  Map x = conv_norm(net, net.input(3, 224), "conv1",
                    {.outputs = 32, .kernel = 3, .stride = 2, .pad = 1});
  x = activated(net, x, Activation::kRelu6);
  const std::vector<Row> rows = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  int number = 1;
  for (const Row& row : rows) {
    for (int64_t i = 0; i < row.repeats; ++i) {
      x = inverted(net, x, formatted("bottleneck{}", number++), row.expansion, row.channels,
                   i == 0 ? row.stride : 1);
    }
  }
  x = activated(net, conv_norm(net, x, "conv_last", {.outputs = 1280}), Activation::kRelu6);
  net.output(classified(net, x), "output");
  return net.take();
}

}  // namespace casemate::zoo
