// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: networks of chance, made of what fast kernels and passes take, in the forms that
// exporters write and in some that nobody would. Seeded; weights keep values near 1.

#include <cmath>
#include <random>

#include "isolated/engine/onnx/model_builder.h"

namespace casemate::engine {

// What both kinds of network are made with.
class ChanceBuilder {
 protected:
  explicit ChanceBuilder(uint64_t seed) : random_(seed) {}

  int64_t below(int64_t count) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(count));
  }
  int64_t one_of(std::initializer_list<int64_t> list) {
    return list.begin()[below(static_cast<int64_t>(list.size()))];
  }
  std::string name() { return "v" + std::to_string(++names_); }
  std::string weights(const Dims& dims, int64_t fan_in) {
    const std::string made = name();
    builder_.noise(made, dims, std::sqrt(3.0F / static_cast<float>(fan_in)));
    return made;
  }
  std::string scalar(float value) {
    const std::string made = name();
    builder_.floats(made, {}, {value});
    return made;
  }
  onnx::NodeProto& node(const std::string& op, const std::vector<std::string>& inputs) {
    const std::string made = name();
    onnx::NodeProto& added = builder_.node(op, inputs, made);
    now_ = made;
    return added;
  }

  ModelBuilder builder_;
  std::string now_ = "x";

 private:
  std::mt19937_64 random_;
  int names_ = 0;
};

// Images: a value [N,C,H,W] and what has been done to it.
class ChanceImages final : ChanceBuilder {
 public:
  explicit ChanceImages(uint64_t seed) : ChanceBuilder(seed) {
    channels_ = one_of({1, 2, 3, 4, 8, 16, 17, 32});
    height_ = 1 + below(20);
    width_ = 1 + below(20);
    builder_.input("x", {-1, channels_, height_, width_});
  }

  // The whole model, with one output "y".
  ModelBuilder make() {
    for (int64_t steps = 2 + below(6); steps > 0; --steps) step();
    if (below(2) == 0) {
      head();
      builder_.output("y", {-1, channels_});
    } else {
      builder_.output("y", {-1, channels_, height_, width_});
    }
    builder_.node("Identity", {now_}, "y");
    return std::move(builder_);
  }

 private:
  // What has the same shape as what is now, to be added or concatenated.
  struct Kept {
    std::string name;
    int64_t channels, height, width;
  };

  void step() {
    kept_.push_back({now_, channels_, height_, width_});
    switch (below(10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return convolution();
      case 4:
        return pooling();
      case 5:
        return normalization();
      case 6:
        return combination();
      case 7:
        return gate();
      default:
        return activation();
    }
  }

  void convolution() {
    const bool depthwise = below(5) == 0;
    const int64_t kernel_h = one_of({1, 1, 2, 3, 3, 3, 5});
    const int64_t kernel_w = below(4) == 0 ? one_of({1, 3, 4, 7}) : kernel_h;
    const int64_t dilation = below(6) == 0 ? 2 : 1;
    const int64_t stride = below(3) == 0 ? 2 : 1;
    Dims pads;
    for (const int64_t kernel : {kernel_h, kernel_w, kernel_h, kernel_w})
      pads.push_back(below(3) == 0 ? below(kernel + 2) : kernel / 2 * dilation);
    const auto size = [&](int64_t extent, int64_t kernel, int64_t padding) {
      return (extent + padding - (kernel - 1) * dilation - 1) / stride + 1;
    };
    const int64_t out_height = size(height_, kernel_h, pads[0] + pads[2]);
    const int64_t out_width = size(width_, kernel_w, pads[1] + pads[3]);
    const bool fits = height_ + pads[0] + pads[2] > (kernel_h - 1) * dilation &&
                      width_ + pads[1] + pads[3] > (kernel_w - 1) * dilation;
    if (!fits) return;
    int64_t groups = depthwise ? channels_ : 1;
    if (below(8) == 0 && channels_ % 2 == 0) groups = 2;
    const int64_t outputs =
        depthwise ? channels_ * (1 + below(2)) : groups * one_of({1, 3, 4, 8, 16, 17, 24, 32, 48});
    const int64_t depth = channels_ / groups;
    std::vector<std::string> inputs = {
        now_, weights({outputs, depth, kernel_h, kernel_w}, depth * kernel_h * kernel_w)};
    if (below(2) == 0) inputs.push_back(weights({outputs}, 4));
    onnx::NodeProto& made = node("Conv", inputs);
    set_ints(made, "pads", pads);
    set_ints(made, "strides", {stride, stride});
    set_ints(made, "dilations", {dilation, dilation});
    set_int(made, "group", groups);
    channels_ = outputs;
    height_ = out_height;
    width_ = out_width;
  }

  void pooling() {
    const int64_t kernel = one_of({2, 3});
    if (height_ < kernel || width_ < kernel) return;
    const int64_t pad = below(2) == 0 ? 0 : kernel / 2;
    const int64_t stride = 1 + below(2);
    onnx::NodeProto& made = node(below(2) == 0 ? "MaxPool" : "AveragePool", {now_});
    set_ints(made, "kernel_shape", {kernel, kernel});
    set_ints(made, "strides", {stride, stride});
    set_ints(made, "pads", {pad, pad, pad, pad});
    height_ = (height_ + 2 * pad - kernel) / stride + 1;
    width_ = (width_ + 2 * pad - kernel) / stride + 1;
  }

  void normalization() {
    const std::string scale = weights({channels_}, 3);
    const std::string shift = weights({channels_}, 12);
    const std::string mean = weights({channels_}, 12);
    const std::string variance = name();
    builder_.floats(variance, {channels_},
                    std::vector<float>(static_cast<size_t>(channels_), 0.8F));
    node("BatchNormalization", {now_, scale, shift, mean, variance});
  }

  void activation() {
    static constexpr const char* kAll[] = {"Relu",      "LeakyRelu", "Sigmoid", "Tanh",
                                           "HardSwish", "Elu",       "Relu",    "Clip"};
    const std::string op = kAll[below(std::size(kAll))];
    if (op != "Clip") {
      node(op, {now_});
      return;
    }
    const std::string low = scalar(0);
    node("Clip", {now_, low, scalar(below(2) == 0 ? 6.0F : 0.5F)});
  }

  // With what was made before.
  void combination() {
    const Kept other = kept_[static_cast<size_t>(below(static_cast<int64_t>(kept_.size())))];
    if (other.height != height_ || other.width != width_) return;
    if (other.channels == channels_ && below(2) == 0) {
      node(below(3) == 0 ? "Mul" : "Add", {other.name, now_});
      return;
    }
    set_int(node("Concat", {now_, other.name}), "axis", 1);
    channels_ += other.channels;
  }

  // Squeeze and excitation.
  void gate() {
    const std::string image = now_;
    node("GlobalAveragePool", {now_});
    node("Conv", {now_, weights({channels_, channels_, 1, 1}, channels_)});
    const std::string factor = node("Sigmoid", {now_}).output(0);
    node("Mul", {image, factor});
  }

  void head() {
    int64_t width = channels_ * height_ * width_;
    if (below(2) == 0) {
      node("GlobalAveragePool", {now_});
      width = channels_;
    }
    node("Flatten", {now_});
    const int64_t outputs = one_of({1, 5, 8, 10, 33, 64});
    onnx::NodeProto& made =
        node("Gemm", {now_, weights({outputs, width}, width), weights({outputs}, 4)});
    set_int(made, "transB", 1);
    channels_ = outputs;
    if (below(2) == 0) node("Softmax", {now_});
  }

  int64_t channels_, height_, width_;
  std::vector<Kept> kept_;
};

// Tokens [N,T,W], as transformers work on them.
class ChanceTokens final : ChanceBuilder {
 public:
  explicit ChanceTokens(uint64_t seed) : ChanceBuilder(seed) {
    tokens_ = one_of({1, 2, 5, 16, 33});
    heads_ = one_of({1, 2, 3});
    head_width_ = one_of({1, 4, 8, 16, 24});
    builder_.input("x", {-1, tokens_, width()});
  }

  ModelBuilder make() {
    for (int64_t steps = 1 + below(4); steps > 0; --steps) {
      const std::string before = now_;
      below(2) == 0 ? attention() : feed_forward();
      if (below(3) > 0) node("Add", {now_, before});
      if (below(2) == 0) layer_normalization();
    }
    builder_.output("y", {-1, tokens_, width()});
    builder_.node("Identity", {now_}, "y");
    return std::move(builder_);
  }

 private:
  [[nodiscard]] int64_t width() const { return heads_ * head_width_; }
  std::string dense(const std::string& x, int64_t in, int64_t out) {
    node("MatMul", {x, weights({in, out}, in)});
    if (below(3) > 0) node("Add", {now_, weights({out}, 12)});
    return now_;
  }
  std::string heads_of(const std::string& x, bool transposed) {
    const std::string shape = name();
    builder_.integers(shape, {4}, {0, 0, heads_, head_width_});
    node("Reshape", {x, shape});
    set_ints(node("Transpose", {now_}), "perm", transposed ? Dims{0, 2, 3, 1} : Dims{0, 2, 1, 3});
    return now_;
  }

  void attention() {
    const std::string x = now_;
    const std::string query = heads_of(dense(x, width(), width()), false);
    const std::string key = heads_of(dense(x, width(), width()), true);
    const std::string value = heads_of(dense(x, width(), width()), false);
    node("MatMul", {query, key});
    const float root = std::sqrt(static_cast<float>(head_width_));
    below(2) == 0 ? node("Div", {now_, scalar(root)}) : node("Mul", {now_, scalar(1 / root)});
    if (below(2) == 0) node("Add", {now_, mask()});
    set_int(node("Softmax", {now_}), "axis", below(2) == 0 ? -1 : 3);
    node("MatMul", {now_, value});
    set_ints(node("Transpose", {now_}), "perm", {0, 2, 1, 3});
    const std::string shape = name();
    builder_.integers(shape, {3}, {0, 0, width()});
    node("Reshape", {now_, shape});
    if (below(3) > 0) dense(now_, width(), width());
  }

  // Of any shape that broadcasts to [N,heads,tokens,tokens].
  std::string mask() {
    switch (below(4)) {
      case 0:
        return weights({tokens_, tokens_}, 3);
      case 1:
        return weights({1, 1, 1, tokens_}, 3);
      case 2:
        return weights({heads_, tokens_, tokens_}, 3);
      default:
        return weights({heads_, 1, 1}, 3);
    }
  }

  void feed_forward() {
    const int64_t inner = one_of({1, 8, 20, 64});
    const std::string x = dense(now_, width(), inner);
    switch (below(4)) {
      case 0: {  // Gelu by the error function
        node("Erf", {node("Div", {x, scalar(std::sqrt(2.0F))}).output(0)});
        const std::string twice = node("Add", {now_, scalar(1)}).output(0);
        node("Mul", {node("Mul", {x, twice}).output(0), scalar(0.5F)});
        break;
      }
      case 1:
        node("Tanh", {x});
        break;
      case 2:
        node("Mul", {x, node("Sigmoid", {x}).output(0)});
        break;
      default:
        node("Relu", {x});
    }
    dense(now_, inner, width());
  }

  void layer_normalization() {
    const std::string scale = weights({width()}, 3);
    const std::string shift = weights({width()}, 12);
    if (below(2) == 0) {
      set_int(node("LayerNormalization", {now_, scale, shift}), "axis", -1);
      return;
    }
    // As it was written before there was an operator for it.
    const auto mean_of = [&](const std::string& of) {
      set_ints(node("ReduceMean", {of}), "axes", {-1});
      return now_;
    };
    const std::string x = now_;
    const std::string centred = node("Sub", {x, mean_of(x)}).output(0);
    const std::string square = node("Pow", {centred, scalar(2)}).output(0);
    const std::string safe = node("Add", {mean_of(square), scalar(1e-5F)}).output(0);
    node("Div", {centred, node("Sqrt", {safe}).output(0)});
    node("Add", {node("Mul", {now_, scale}).output(0), shift});
  }

  int64_t tokens_, heads_, head_width_;
};

}  // namespace casemate::engine
