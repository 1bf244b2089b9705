// SPDX-License-Identifier: Apache-2.0
// Redmon, Farhadi: "YOLOv3: an incremental improvement" (arXiv 1804.02767, 2018), section 2, in the
// small form that its authors publish as yolov3-tiny: 416x416, 80 classes, two scales. The outputs
// are what the two detection layers read: for each cell three boxes of 4 + 1 + 80 numbers.

#include "base/format.h"
#include "outside/zoo/architectures.h"
#include "outside/zoo/image_network.h"

namespace casemate::zoo {
namespace {

constexpr int64_t kBoxes = 3 * (4 + 1 + 80);

Map conv_norm_leaky(ImageNetwork& net, const Map& x, const std::string& name, int64_t outputs,
                    int64_t kernel) {
  const Map y = net.conv(x, name, {.outputs = outputs, .kernel = kernel, .pad = kernel / 2});
  return net.activate(net.norm(y, name + ".bn"), name + ".leaky", Activation::kLeakyRelu);
}

Map detector(ImageNetwork& net, const Map& x, const std::string& name, int64_t width) {
  const Map y = conv_norm_leaky(net, x, name + ".conv", width, 3);
  return net.conv(y, name + ".boxes", {.outputs = kBoxes, .bias = true});
}

}  // namespace

// [batch, 3, 416, 416] to [batch, 255, 13, 13] and [batch, 255, 26, 26].
Graph yolov3_tiny() {
  ImageNetwork net("yolov3-tiny", "Redmon and Farhadi, arXiv 1804.02767, section 2");
  Map x = net.input(3, 416);
  for (int i = 0; i < 4; ++i) {
    x = conv_norm_leaky(net, x, formatted("conv{}", i + 1), int64_t{16} << i, 3);
    x = net.max_pool(x, formatted("pool{}", i + 1), {});
  }
  const Map fine = conv_norm_leaky(net, x, "conv5", 256, 3);
  x = conv_norm_leaky(net, net.max_pool(fine, "pool5", {}), "conv6", 512, 3);
  x = net.max_pool(x, "pool6", {.kernel = 2, .stride = 1, .pad = 0, .pad_end = 1});
  x = conv_norm_leaky(net, x, "conv7", 1024, 3);
  const Map coarse = conv_norm_leaky(net, x, "conv8", 256, 1);
  const Map up = net.upsample(conv_norm_leaky(net, coarse, "conv9", 128, 1), "upsample");
  net.output(detector(net, coarse, "coarse", 512), "boxes_13x13");
  net.output(detector(net, net.concat({up, fine}, "concat"), "fine", 256), "boxes_26x26");
  return net.take();
}

}  // namespace casemate::zoo
