// SPDX-License-Identifier: Apache-2.0
// Iandola et al.: "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters" (arXiv 1602.07360,
// 2016), sections 3.2 and 3.3, in the authors' version 1.1: a smaller first kernel and earlier
// pooling, 2.4 times fewer operations than version 1.0.
#include "outside/zoo/architectures.h"
#include "outside/zoo/image_network.h"

namespace casemate::zoo {
namespace {

Map conv_relu(ImageNetwork& net, const Map& x, const std::string& name, const Convolution& shape) {
  return net.activate(net.conv(x, name, shape), name + ".relu", Activation::kRelu);
}

// Figure 1.
Map fire(ImageNetwork& net, const Map& x, const std::string& name, int64_t squeezed,
         int64_t expanded) {
  const Map s = conv_relu(net, x, name + ".squeeze", {.outputs = squeezed, .bias = true});
  const Map one = conv_relu(net, s, name + ".expand1x1", {.outputs = expanded, .bias = true});
  const Map three = conv_relu(net, s, name + ".expand3x3",
                              {.outputs = expanded, .kernel = 3, .pad = 1, .bias = true});
  return net.concat({one, three}, name);
}

}  // namespace

// [batch, 3, 224, 224] to [batch, 1000].
Graph squeezenet() {
  ImageNetwork net("squeezenet", "Iandola et al., arXiv 1602.07360, section 3.3, version 1.1");
  const auto pool = [&](const Map& x, const char* name) {
    return net.max_pool(x, name, {.kernel = 3, .stride = 2, .round_up = true});
  };
  Map x = conv_relu(net, net.input(3, 224), "conv1",
                    {.outputs = 64, .kernel = 3, .stride = 2, .bias = true});
  x = pool(x, "pool1");
  x = fire(net, x, "fire2", 16, 64);
  x = fire(net, x, "fire3", 16, 64);
  x = pool(x, "pool3");
  x = fire(net, x, "fire4", 32, 128);
  x = fire(net, x, "fire5", 32, 128);
  x = pool(x, "pool5");
  x = fire(net, x, "fire6", 48, 192);
  x = fire(net, x, "fire7", 48, 192);
  x = fire(net, x, "fire8", 64, 256);
  x = fire(net, x, "fire9", 64, 256);
  x = conv_relu(net, x, "conv10", {.outputs = 1000, .bias = true});
  x = net.flatten(net.global_average(x, "avgpool"), "flatten");
  net.output(x, "output");
  return net.take();
}

}  // namespace casemate::zoo
