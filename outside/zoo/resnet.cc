// SPDX-License-Identifier: Apache-2.0
// He, Zhang, Ren, Sun: "Deep residual learning for image recognition" (CVPR 2016, arXiv
// 1512.03385), section 4.1 and table 1, shortcuts of option B. As in PyTorch ("version 1.5") the
// stride of a bottleneck sits in its 3x3 convolution.

#include "base/format.h"
#include "outside/zoo/architectures.h"
#include "outside/zoo/image_network.h"

namespace casemate::zoo {
namespace {

// Of the last normalisation in a block, so that fifty sums do not pile up.
constexpr double kBranchScale = 0.5;

Map conv_norm(ImageNetwork& net, const Map& x, const std::string& place, const std::string& number,
              const Convolution& shape, double scale = 1) {
  return net.norm(net.conv(x, place + "conv" + number, shape), place + "bn" + number,
                  {.scale = scale});
}

Map relu(ImageNetwork& net, const Map& x, const std::string& name) {
  return net.activate(x, name, Activation::kRelu);
}

// Figure 5, left: two 3x3 convolutions.
Map basic(ImageNetwork& net, const Map& x, const std::string& place, int64_t width,
          int64_t stride) {
  Map y =
      conv_norm(net, x, place, "1", {.outputs = width, .kernel = 3, .stride = stride, .pad = 1});
  y = relu(net, y, place + "relu1");
  return conv_norm(net, y, place, "2", {.outputs = width, .kernel = 3, .pad = 1}, kBranchScale);
}

// Figure 5, right: 1x1, 3x3, and 1x1 to four times the width.
Map bottleneck(ImageNetwork& net, const Map& x, const std::string& place, int64_t width,
               int64_t stride) {
  Map y = conv_norm(net, x, place, "1", {.outputs = width});
  y = relu(net, y, place + "relu1");
  y = conv_norm(net, y, place, "2", {.outputs = width, .kernel = 3, .stride = stride, .pad = 1});
  y = relu(net, y, place + "relu2");
  return conv_norm(net, y, place, "3", {.outputs = 4 * width}, kBranchScale);
}

using Branch = Map (*)(ImageNetwork&, const Map&, const std::string&, int64_t, int64_t);

// The branch, and the way around it.
Map block(ImageNetwork& net, const Map& x, const std::string& place, Branch branch, int64_t width,
          int64_t stride) {
  const Map y = branch(net, x, place, width, stride);
  Map around = x;
  if (stride != 1 || x.channels != y.channels) {
    around = net.conv(x, place + "downsample.conv", {.outputs = y.channels, .stride = stride});
    around = net.norm(around, place + "downsample.bn");
  }
  return relu(net, net.add(y, around, place + "add"), place + "relu");
}

// [batch, 3, 224, 224] to [batch, 1000]; `blocks` of each of the four stages.
Graph resnet(const char* name, Branch branch, const std::vector<int>& blocks) {
  ImageNetwork net(name, "He et al., CVPR 2016, section 4.1 and table 1");
  Map x = conv_norm(net, net.input(3, 224), "", "1",
                    {.outputs = 64, .kernel = 7, .stride = 2, .pad = 3});
  x = net.max_pool(relu(net, x, "relu"), "maxpool", {.kernel = 3, .stride = 2, .pad = 1});
  for (size_t stage = 0; stage < blocks.size(); ++stage) {
    for (int i = 0; i < blocks[stage]; ++i) {
      x = block(net, x, formatted("layer{}.{}.", stage + 1, i), branch, int64_t{64} << stage,
                stage > 0 && i == 0 ? 2 : 1);
    }
  }
  x = net.flatten(net.global_average(x, "avgpool"), "flatten");
  net.output(net.linear(x, "fc", 1000), "output");
  return net.take();
}

}  // namespace

Graph resnet_18() { return resnet("resnet-18", basic, {2, 2, 2, 2}); }
Graph resnet_50() { return resnet("resnet-50", bottleneck, {3, 4, 6, 3}); }
Graph resnet_152() { return resnet("resnet-152", bottleneck, {3, 8, 36, 3}); }

}  // namespace casemate::zoo
