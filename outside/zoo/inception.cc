// SPDX-License-Identifier: Apache-2.0
// Szegedy, Vanhoucke, Ioffe, Shlens, Wojna: "Rethinking the Inception architecture for computer
// vision" (CVPR 2016, arXiv 1512.00567), section 6 and table 1, in the form of the authors' code,
// whose names the layers have; without the auxiliary classifier, which only training uses.
#include "outside/zoo/architectures.h"
#include "outside/zoo/image_network.h"

namespace casemate::zoo {
namespace {

// Convolution, normalisation, Relu: all of this network.
Map unit(ImageNetwork& net, const Map& x, const std::string& name, const Convolution& shape) {
  const Map y = net.norm(net.conv(x, name, shape), name + ".bn", {.epsilon = 1e-3F});
  return net.activate(y, name + ".relu", Activation::kRelu);
}

// 1xn and nx1, which keep the size (section 3.2).
Convolution row(int64_t outputs, int64_t n) {
  return {.outputs = outputs, .kernel = {1, n}, .pad = {0, n / 2}};
}
Convolution column(int64_t outputs, int64_t n) {
  return {.outputs = outputs, .kernel = {n, 1}, .pad = {n / 2, 0}};
}
Convolution square(int64_t outputs, int64_t n) {
  return {.outputs = outputs, .kernel = n, .pad = n / 2};
}
Convolution halving(int64_t outputs) { return {.outputs = outputs, .kernel = 3, .stride = 2}; }

Map pooled(ImageNetwork& net, const Map& x, const std::string& name, int64_t outputs) {
  const Map y = net.average_pool(x, name + ".avgpool", {.kernel = 3, .stride = 1, .pad = 1});
  return unit(net, y, name, {.outputs = outputs});
}

Map halved(ImageNetwork& net, const Map& x, const std::string& name) {
  return net.max_pool(x, name, {.kernel = 3, .stride = 2});
}

// Figure 5: 35x35.
Map mixed_35(ImageNetwork& net, const Map& x, const std::string& name, int64_t pool) {
  const Map one = unit(net, x, name + ".branch1x1", {.outputs = 64});
  Map five = unit(net, x, name + ".branch5x5_1", {.outputs = 48});
  five = unit(net, five, name + ".branch5x5_2", square(64, 5));
  Map twice = unit(net, x, name + ".branch3x3dbl_1", {.outputs = 64});
  twice = unit(net, twice, name + ".branch3x3dbl_2", square(96, 3));
  twice = unit(net, twice, name + ".branch3x3dbl_3", square(96, 3));
  return net.concat({one, five, twice, pooled(net, x, name + ".branch_pool", pool)}, name);
}

// Figure 10, from 35x35 to 17x17.
Map to_17(ImageNetwork& net, const Map& x, const std::string& name) {
  const Map three = unit(net, x, name + ".branch3x3", halving(384));
  Map twice = unit(net, x, name + ".branch3x3dbl_1", {.outputs = 64});
  twice = unit(net, twice, name + ".branch3x3dbl_2", square(96, 3));
  twice = unit(net, twice, name + ".branch3x3dbl_3", halving(96));
  return net.concat({three, twice, halved(net, x, name + ".branch_pool")}, name);
}

// Figure 6 with n = 7: 17x17.
Map mixed_17(ImageNetwork& net, const Map& x, const std::string& name, int64_t width) {
  const Map one = unit(net, x, name + ".branch1x1", {.outputs = 192});
  Map seven = unit(net, x, name + ".branch7x7_1", {.outputs = width});
  seven = unit(net, seven, name + ".branch7x7_2", row(width, 7));
  seven = unit(net, seven, name + ".branch7x7_3", column(192, 7));
  Map twice = unit(net, x, name + ".branch7x7dbl_1", {.outputs = width});
  twice = unit(net, twice, name + ".branch7x7dbl_2", column(width, 7));
  twice = unit(net, twice, name + ".branch7x7dbl_3", row(width, 7));
  twice = unit(net, twice, name + ".branch7x7dbl_4", column(width, 7));
  twice = unit(net, twice, name + ".branch7x7dbl_5", row(192, 7));
  return net.concat({one, seven, twice, pooled(net, x, name + ".branch_pool", 192)}, name);
}

// From 17x17 to 8x8.
Map to_8(ImageNetwork& net, const Map& x, const std::string& name) {
  Map three = unit(net, x, name + ".branch3x3_1", {.outputs = 192});
  three = unit(net, three, name + ".branch3x3_2", halving(320));
  Map seven = unit(net, x, name + ".branch7x7x3_1", {.outputs = 192});
  seven = unit(net, seven, name + ".branch7x7x3_2", row(192, 7));
  seven = unit(net, seven, name + ".branch7x7x3_3", column(192, 7));
  seven = unit(net, seven, name + ".branch7x7x3_4", halving(192));
  return net.concat({three, seven, halved(net, x, name + ".branch_pool")}, name);
}

// Figure 7: 8x8, wide.
Map mixed_8(ImageNetwork& net, const Map& x, const std::string& name) {
  const auto wide = [&](const Map& y, const std::string& branch, const std::string& tail) {
    return net.concat({unit(net, y, branch + tail + "a", row(384, 3)),
                       unit(net, y, branch + tail + "b", column(384, 3))},
                      branch);
  };
  const Map one = unit(net, x, name + ".branch1x1", {.outputs = 320});
  const Map three = unit(net, x, name + ".branch3x3_1", {.outputs = 384});
  Map twice = unit(net, x, name + ".branch3x3dbl_1", {.outputs = 448});
  twice = unit(net, twice, name + ".branch3x3dbl_2", square(384, 3));
  return net.concat(
      {one, wide(three, name + ".branch3x3", "_2"), wide(twice, name + ".branch3x3dbl", "_3"),
       pooled(net, x, name + ".branch_pool", 192)},
      name);
}

}  // namespace

// [batch, 3, 299, 299] to [batch, 1000].
Graph inception_v3() {
  ImageNetwork net("inception-v3", "Szegedy et al., CVPR 2016, section 6 and table 1");
  Map x = unit(net, net.input(3, 299), "Conv2d_1a_3x3", halving(32));
  x = unit(net, x, "Conv2d_2a_3x3", {.outputs = 32, .kernel = 3});
  x = unit(net, x, "Conv2d_2b_3x3", square(64, 3));
  x = halved(net, x, "maxpool1");
  x = unit(net, x, "Conv2d_3b_1x1", {.outputs = 80});
  x = unit(net, x, "Conv2d_4a_3x3", {.outputs = 192, .kernel = 3});
  x = halved(net, x, "maxpool2");
  x = mixed_35(net, x, "Mixed_5b", 32);
  x = mixed_35(net, x, "Mixed_5c", 64);
  x = mixed_35(net, x, "Mixed_5d", 64);
  x = to_17(net, x, "Mixed_6a");
  x = mixed_17(net, x, "Mixed_6b", 128);
  x = mixed_17(net, x, "Mixed_6c", 160);
  x = mixed_17(net, x, "Mixed_6d", 160);
  x = mixed_17(net, x, "Mixed_6e", 192);
  x = to_8(net, x, "Mixed_7a");
  x = mixed_8(net, x, "Mixed_7b");
  x = mixed_8(net, x, "Mixed_7c");
  x = net.flatten(net.global_average(x, "avgpool"), "flatten");
  net.output(net.linear(x, "fc", 1000), "output");
  return net.take();
}

}  // namespace casemate::zoo
