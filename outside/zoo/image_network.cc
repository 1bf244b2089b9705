// SPDX-License-Identifier: Apache-2.0
#include "outside/zoo/image_network.h"

#include <algorithm>
#include <cmath>

namespace casemate::zoo {
namespace {

// How far biases, scales and statistics scatter around what they should be.
constexpr double kScatter = 0.1;

// Neighbours are alike, as if two or three were independent: the largest lies this many deviations
// above their mean, and their mean has this part of their variance.
constexpr double kMaximumRise = 0.85;
constexpr double kMeanVariance = 0.5;

constexpr float kLeak = 0.1F;

double relu(double x) { return std::max(x, 0.0); }
double relu6(double x) { return std::clamp(x, 0.0, 6.0); }
double leaky_relu(double x) { return x < 0 ? x * kLeak : x; }
double hyperbolic_tangent(double x) {
  const double e = exponential(std::clamp(2 * x, -40.0, 40.0));
  return (e - 1) / (e + 1);
}

int64_t windows(int64_t extent, const Pooling& w) {
  const int64_t room = extent + w.pad + w.pad_end - w.kernel;
  return (room + (w.round_up ? w.stride - 1 : 0)) / w.stride + 1;
}

// The weights that turn `fan_in` elements of x into something of variance 1. What only shifts all
// inputs alike is kept out where there are enough of them: behind a rectifier all are positive, and
// their mean would become an offset that outweighs what depends on the image.
Draw preserving(const Moments& x, int64_t fan_in, bool centred) {
  const bool shifted = centred && x.mean * x.mean > 0.01 * x.variance;
  const double variance = static_cast<double>(fan_in) * (shifted ? x.variance : x.square());
  return {0, std::sqrt(1 / variance), shifted ? static_cast<uint64_t>(fan_in) : 0};
}

}  // namespace

Map ImageNetwork::known(Map map) {
  graph_.expect(map.name, map.moments);
  return map;
}

Map ImageNetwork::input(int64_t channels, int64_t side) {
  const bool grey = channels == 1;
  graph_.describe("casemate.input.image.color", grey ? "grey" : "rgb");
  // Those of MNIST and of ImageNet.
  graph_.describe("casemate.input.image.mean", grey ? "0.1307" : "0.485,0.456,0.406");
  graph_.describe("casemate.input.image.std", grey ? "0.3081" : "0.229,0.224,0.225");
  return known({graph_.input("input", {"batch", channels, side, side}), channels, side, {}});
}

std::string ImageNetwork::bias(const std::string& name, int64_t outputs) {
  return graph_.weight(name + ".bias", {outputs}, {0, kScatter});
}

Map ImageNetwork::conv(const Map& x, const std::string& name, const Convolution& c) {
  const int64_t fan_in = x.channels / c.groups * c.kernel.height * c.kernel.width;
  Names inputs = {x.name,
                  graph_.weight(name + ".weight",
                                {c.outputs, x.channels / c.groups, c.kernel.height, c.kernel.width},
                                preserving(x.moments, fan_in, c.groups == 1))};
  if (c.bias) inputs.push_back(bias(name, c.outputs));
  graph_.node("Conv", inputs, name)
      .integers("dilations", {1, 1})
      .integer("group", c.groups)
      .integers("kernel_shape", {c.kernel.height, c.kernel.width})
      .integers("pads", {c.pad.height, c.pad.width, c.pad.height, c.pad.width})
      .integers("strides", {c.stride, c.stride});
  const Extent size((x.size.height + 2 * c.pad.height - c.kernel.height) / c.stride + 1,
                    (x.size.width + 2 * c.pad.width - c.kernel.width) / c.stride + 1);
  graph_.count_operations(fan_in * c.outputs * size.height * size.width);
  return known({name, c.outputs, size, {}});
}

Map ImageNetwork::norm(const Map& x, const std::string& name, const Normalization& how) {
  const double variance = x.moments.variance;
  const Extents shape = {x.channels};
  const Names inputs = {
      x.name, graph_.weight(name + ".weight", shape, {how.scale, how.scale * kScatter}),
      graph_.weight(name + ".bias", shape, {0, kScatter}),
      graph_.statistic(name + ".running_mean", shape,
                       {x.moments.mean, kScatter * std::sqrt(variance)}),
      graph_.statistic(name + ".running_var", shape, {variance, kScatter * variance})};
  graph_.node("BatchNormalization", inputs, name)
      .real("epsilon", how.epsilon)
      .real("momentum", 0.9F)
      .integer("training_mode", 0);
  return known({name, x.channels, x.size, {0, how.scale * how.scale}});
}

Map ImageNetwork::local_norm(const Map& x, const std::string& name) {
  graph_.node("LRN", {x.name}, name)
      .real("alpha", 1e-4F)
      .real("beta", 0.75F)
      .real("bias", 1)
      .integer("size", 5);
  return known({name, x.channels, x.size, x.moments});
}

Map ImageNetwork::activate(const Map& x, const std::string& name, Activation activation) {
  const auto made = [&](double (*f)(double)) {
    return known({name, x.channels, x.size, after(f, x.moments), x.flat});
  };
  switch (activation) {
    case Activation::kRelu6:
      graph_.node("Clip",
                  {x.name, graph_.scalar(name + ".min", 0.0F), graph_.scalar(name + ".max", 6.0F)},
                  name);
      return made(relu6);
    case Activation::kLeakyRelu:
      graph_.node("LeakyRelu", {x.name}, name).real("alpha", kLeak);
      return made(leaky_relu);
    case Activation::kTanh:
      graph_.node("Tanh", {x.name}, name);
      return made(hyperbolic_tangent);
    case Activation::kRelu:
      break;
  }
  graph_.node("Relu", {x.name}, name);
  return made(relu);
}

Map ImageNetwork::max_pool(const Map& x, const std::string& name, const Pooling& w) {
  graph_.node("MaxPool", {x.name}, name)
      .integer("ceil_mode", w.round_up ? 1 : 0)
      .integers("dilations", {1, 1})
      .integers("kernel_shape", {w.kernel, w.kernel})
      .integers("pads", {w.pad, w.pad, w.pad_end, w.pad_end})
      .integers("strides", {w.stride, w.stride});
  const double rise = kMaximumRise * std::sqrt(x.moments.variance);
  return known({name,
                x.channels,
                {windows(x.size.height, w), windows(x.size.width, w)},
                {x.moments.mean + rise, x.moments.variance}});
}

Map ImageNetwork::average_pool(const Map& x, const std::string& name, const Pooling& w) {
  graph_.node("AveragePool", {x.name}, name)
      .integer("ceil_mode", w.round_up ? 1 : 0)
      .integer("count_include_pad", 1)
      .integers("kernel_shape", {w.kernel, w.kernel})
      .integers("pads", {w.pad, w.pad, w.pad_end, w.pad_end})
      .integers("strides", {w.stride, w.stride});
  return known({name,
                x.channels,
                {windows(x.size.height, w), windows(x.size.width, w)},
                {x.moments.mean, x.moments.variance * kMeanVariance}});
}

Map ImageNetwork::global_average(const Map& x, const std::string& name) {
  graph_.node("GlobalAveragePool", {x.name}, name);
  return known({name, x.channels, 1, {x.moments.mean, x.moments.variance * kMeanVariance}});
}

Map ImageNetwork::add(const Map& a, const Map& b, const std::string& name) {
  graph_.node("Add", {a.name, b.name}, name);
  return known({name, a.channels, a.size, sum(a.moments, b.moments)});
}

Map ImageNetwork::concat(const std::vector<Map>& maps, const std::string& name) {
  Map made{name, 0, maps.front().size, {0, 0}};
  Names names;
  double square = 0;
  for (const Map& map : maps) {
    names.push_back(map.name);
    made.channels += map.channels;
    made.moments.mean += static_cast<double>(map.channels) * map.moments.mean;
    square += static_cast<double>(map.channels) * map.moments.square();
  }
  const auto channels = static_cast<double>(made.channels);
  made.moments.mean /= channels;
  made.moments.variance = square / channels - made.moments.mean * made.moments.mean;
  graph_.node("Concat", names, name).integer("axis", 1);
  return known(made);
}

Map ImageNetwork::upsample(const Map& x, const std::string& name) {
  const std::string scales = graph_.list(name + ".scales", std::vector<float>{1, 1, 2, 2});
  graph_.node("Resize", {x.name, "", scales}, name)
      .text("coordinate_transformation_mode", "asymmetric")
      .text("mode", "nearest")
      .text("nearest_mode", "floor");
  return known({name, x.channels, {2 * x.size.height, 2 * x.size.width}, x.moments});
}

Map ImageNetwork::flatten(const Map& x, const std::string& name) {
  graph_.node("Flatten", {x.name}, name).integer("axis", 1);
  return known({name, x.channels * x.size.height * x.size.width, 1, x.moments, true});
}

Map ImageNetwork::linear(const Map& x, const std::string& name, int64_t outputs) {
  const std::string weight = graph_.weight(name + ".weight", {outputs, x.channels},
                                           preserving(x.moments, x.channels, true));
  graph_.node("Gemm", {x.name, weight, bias(name, outputs)}, name)
      .real("alpha", 1)
      .real("beta", 1)
      .integer("transB", 1);
  graph_.count_operations(x.channels * outputs);
  return known({name, outputs, 1, {}, true});
}

void ImageNetwork::output(const Map& x, const std::string& name) {
  std::vector<Dim> dims = {"batch", x.channels};
  if (!x.flat) dims.insert(dims.end(), {x.size.height, x.size.width});
  graph_.output(x.name, name, dims);
}

}  // namespace casemate::zoo
