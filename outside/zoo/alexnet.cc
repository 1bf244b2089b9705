// SPDX-License-Identifier: Apache-2.0
// Krizhevsky: "One weird trick for parallelizing convolutional neural networks" (arXiv 1404.5997,
// 2014), section 5: the network of 2012 in one column, without groups and local normalisation.
#include "outside/zoo/architectures.h"
#include "outside/zoo/image_network.h"

namespace casemate::zoo {

// [batch, 3, 224, 224] to [batch, 1000].
Graph alexnet() {
  ImageNetwork net("alexnet", "Krizhevsky, arXiv 1404.5997, section 5");
  const auto relu = [&](const Map& x) {
    return net.activate(x, x.name + ".relu", Activation::kRelu);
  };
  const auto pool = [&](const Map& x, const char* name) {
    return net.max_pool(x, name, {.kernel = 3, .stride = 2});
  };
  Map x = net.input(3, 224);
  x = relu(
      net.conv(x, "conv1", {.outputs = 64, .kernel = 11, .stride = 4, .pad = 2, .bias = true}));
  x = pool(x, "pool1");
  x = relu(net.conv(x, "conv2", {.outputs = 192, .kernel = 5, .pad = 2, .bias = true}));
  x = pool(x, "pool2");
  x = relu(net.conv(x, "conv3", {.outputs = 384, .kernel = 3, .pad = 1, .bias = true}));
  x = relu(net.conv(x, "conv4", {.outputs = 256, .kernel = 3, .pad = 1, .bias = true}));
  x = relu(net.conv(x, "conv5", {.outputs = 256, .kernel = 3, .pad = 1, .bias = true}));
  x = net.flatten(pool(x, "pool5"), "flatten");
  x = relu(net.linear(x, "fc6", 4096));
  x = relu(net.linear(x, "fc7", 4096));
  net.output(net.linear(x, "fc8", 1000), "output");
  return net.take();
}

}  // namespace casemate::zoo
