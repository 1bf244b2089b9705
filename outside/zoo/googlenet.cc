// SPDX-License-Identifier: Apache-2.0
// Szegedy et al.: "Going deeper with convolutions" (CVPR 2015, arXiv 1409.4842), section 5 and
// table 1, with local response normalisation and without the auxiliary classifiers, which only
// training uses.
#include "outside/zoo/architectures.h"
#include "outside/zoo/image_network.h"

namespace casemate::zoo {
namespace {

// A row of table 1: "#1x1", "#3x3 reduce", "#3x3", "#5x5 reduce", "#5x5", "pool proj".
struct Widths {
  int64_t one, three_reduce, three, five_reduce, five, pool;
};

Map conv_relu(ImageNetwork& net, const Map& x, const std::string& name, int64_t outputs,
              int64_t kernel, int64_t stride = 1) {
  const Map made = net.conv(
      x, name,
      {.outputs = outputs, .kernel = kernel, .stride = stride, .pad = kernel / 2, .bias = true});
  return net.activate(made, name + ".relu", Activation::kRelu);
}

// Figure 2 (b).
Map inception(ImageNetwork& net, const Map& x, const std::string& name, const Widths& widths) {
  const Map one = conv_relu(net, x, name + ".1x1", widths.one, 1);
  Map three = conv_relu(net, x, name + ".3x3_reduce", widths.three_reduce, 1);
  three = conv_relu(net, three, name + ".3x3", widths.three, 3);
  Map five = conv_relu(net, x, name + ".5x5_reduce", widths.five_reduce, 1);
  five = conv_relu(net, five, name + ".5x5", widths.five, 5);
  Map pool = net.max_pool(x, name + ".pool", {.kernel = 3, .stride = 1, .pad = 1});
  pool = conv_relu(net, pool, name + ".pool_proj", widths.pool, 1);
  return net.concat({one, three, five, pool}, name);
}

}  // namespace

// [batch, 3, 224, 224] to [batch, 1000].
Graph googlenet() {
  ImageNetwork net("googlenet", "Szegedy et al., CVPR 2015, section 5 and table 1");
  const auto pool = [&](const Map& x, const char* name) {
    return net.max_pool(x, name, {.kernel = 3, .stride = 2, .round_up = true});
  };
  Map x = conv_relu(net, net.input(3, 224), "conv1", 64, 7, 2);
  x = net.local_norm(pool(x, "pool1"), "norm1");
  x = conv_relu(net, x, "conv2_reduce", 64, 1);
  x = net.local_norm(conv_relu(net, x, "conv2", 192, 3), "norm2");
  x = pool(x, "pool2");
  x = inception(net, x, "inception_3a", {64, 96, 128, 16, 32, 32});
  x = inception(net, x, "inception_3b", {128, 128, 192, 32, 96, 64});
  x = pool(x, "pool3");
  x = inception(net, x, "inception_4a", {192, 96, 208, 16, 48, 64});
  x = inception(net, x, "inception_4b", {160, 112, 224, 24, 64, 64});
  x = inception(net, x, "inception_4c", {128, 128, 256, 24, 64, 64});
  x = inception(net, x, "inception_4d", {112, 144, 288, 32, 64, 64});
  x = inception(net, x, "inception_4e", {256, 160, 320, 32, 128, 128});
  x = pool(x, "pool4");
  x = inception(net, x, "inception_5a", {256, 160, 320, 32, 128, 128});
  x = inception(net, x, "inception_5b", {384, 192, 384, 48, 128, 128});
  x = net.flatten(net.global_average(x, "avgpool"), "flatten");
  net.output(net.linear(x, "classifier", 1000), "output");
  return net.take();
}

}  // namespace casemate::zoo
