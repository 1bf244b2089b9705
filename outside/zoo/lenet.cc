// SPDX-License-Identifier: Apache-2.0
// LeCun, Bottou, Bengio, Haffner: "Gradient-based learning applied to document recognition"
// (Proceedings of the IEEE, 1998), section II-B, in the form in which it is taught today: plain
// averages in S2 and S4, every map of S2 seen by every map of C3, a linear output layer.
#include "outside/zoo/architectures.h"
#include "outside/zoo/image_network.h"

namespace casemate::zoo {

// [batch, 1, 32, 32] to [batch, 10].
Graph lenet_5() {
  ImageNetwork net("lenet-5", "LeCun et al., 1998, section II-B");
  const auto tanh = [&](const Map& x) {
    return net.activate(x, x.name + ".tanh", Activation::kTanh);
  };
  Map x = net.input(1, 32);
  x = tanh(net.conv(x, "C1", {.outputs = 6, .kernel = 5, .bias = true}));
  x = net.average_pool(x, "S2", {});
  x = tanh(net.conv(x, "C3", {.outputs = 16, .kernel = 5, .bias = true}));
  x = net.average_pool(x, "S4", {});
  x = tanh(net.conv(x, "C5", {.outputs = 120, .kernel = 5, .bias = true}));
  x = tanh(net.linear(net.flatten(x, "flatten"), "F6", 84));
  net.output(net.linear(x, "classifier", 10), "output");
  return net.take();
}

}  // namespace casemate::zoo
