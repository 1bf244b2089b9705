// SPDX-License-Identifier: Apache-2.0
#pragma once
// ImageNetwork: the layers that networks for images are made of, as PyTorch exports them.
//
//   ImageNetwork net("tiny", "nobody, 2024");
//   Map x = net.input(3, 224);
//   x = net.conv(x, "conv1", {.outputs = 64, .kernel = 7, .stride = 2, .pad = 3});
//   x = net.activate(net.norm(x, "bn1"), "relu", Activation::kRelu);
//
// Every layer takes maps and a name, and returns the map of that name. Weights are random with the
// scale of He et al. (2015, "Delving deep into rectifiers", section 2.2): it keeps the variance
// from layer to layer, given the moments that the input is expected to have, not an assumed 1/2.
//
//   Owns     the graph.
//   Threads  one.
//   Trust    none needed.
//   Fails    cannot.

#include <string>
#include <vector>

#include "outside/zoo/graph.h"
#include "outside/zoo/moments.h"

namespace casemate::zoo {

struct Extent {
  constexpr Extent(int64_t side) : height(side), width(side) {}
  constexpr Extent(int64_t h, int64_t w) : height(h), width(w) {}
  int64_t height;
  int64_t width;
};

// A value of shape [batch, channels, height, width], or [batch, channels] once it is flat.
struct Map {
  std::string name;
  int64_t channels = 0;
  Extent size = 1;
  Moments moments;
  bool flat = false;
};

struct Convolution {
  int64_t outputs = 0;
  Extent kernel = 1;
  int64_t stride = 1;
  Extent pad = 0;
  int64_t groups = 1;
  bool bias = false;
};

struct Pooling {
  int64_t kernel = 2;
  int64_t stride = 2;
  int64_t pad = 0;
  int64_t pad_end = pad;  // below and to the right
  bool round_up = false;  // a last window that is only partly there counts
};

struct Normalization {
  double scale = 1;  // of a residual branch less, so that the sums do not pile up
  float epsilon = 1e-5F;
};

enum class Activation { kRelu, kRelu6, kLeakyRelu, kTanh };

class ImageNetwork final {
 public:
  // `paper` says where the architecture is described.
  ImageNetwork(const std::string& name, const std::string& paper) : graph_(name, paper) {}

  // The one input: images whose pixels have mean 0 and variance 1; the metadata say how to get
  // there.
  Map input(int64_t channels, int64_t side);

  Map conv(const Map& x, const std::string& name, const Convolution& shape);
  Map norm(const Map& x, const std::string& name, const Normalization& how = {});
  // Krizhevsky's normalisation over five neighbouring channels (2012, section 3.3).
  Map local_norm(const Map& x, const std::string& name);
  Map activate(const Map& x, const std::string& name, Activation activation);
  Map max_pool(const Map& x, const std::string& name, const Pooling& window);
  Map average_pool(const Map& x, const std::string& name, const Pooling& window);
  Map global_average(const Map& x, const std::string& name);
  Map add(const Map& a, const Map& b, const std::string& name);
  Map concat(const std::vector<Map>& maps, const std::string& name);
  // Twice as high and wide, every pixel four times.
  Map upsample(const Map& x, const std::string& name);
  Map flatten(const Map& x, const std::string& name);
  // Requires: x is flat.
  Map linear(const Map& x, const std::string& name, int64_t outputs);

  // Makes x an output called `name`.
  void output(const Map& x, const std::string& name);

  // Requires: called once, last.
  Graph take() { return std::move(graph_); }

 private:
  std::string bias(const std::string& name, int64_t outputs);
  // The map, noted with what it is expected to look like.
  Map known(Map map);

  Graph graph_;
};

}  // namespace casemate::zoo
