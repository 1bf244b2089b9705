// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/winograd.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/format.h"
#include "isolated/engine/kernels/epilogue.h"
#include "isolated/engine/kernels/gemm_convolution.h"
#include "isolated/engine/kernels/image.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// Transformed pixels and products of one block of tiles: about the second-level cache.
constexpr int64_t kBlockBytes = 768 << 10;
// Weights beyond this come from memory for each block, which is therefore larger.
constexpr int64_t kCachedWeights = 8 << 20;
constexpr int64_t kTilesMin = 24;

// At least so many floats, and an odd number of the cache's lines.
int64_t odd_lines(int64_t floats) {
  constexpr int64_t kLineFloats = 16;
  return ((floats + kLineFloats - 1) / kLineFloats | 1) * kLineFloats;
}

struct Tiling {
  ImageWindow window;
  int size;  // of a tile of results
  int64_t across, down;
  int64_t block;   // tiles
  int64_t blocks;  // one after another, or each on a thread
  int threads;
  int64_t out_pitch;  // floats from pixel to pixel of the result

  [[nodiscard]] int64_t planes() const { return (size + 2) * (size + 2); }
  [[nodiscard]] int64_t tiles() const { return window.batch * across * down; }
  // Rows lie a vector further apart than they are long: rows a power of two apart would share
  // their places in the cache.
  [[nodiscard]] int64_t pixel_stride() const { return window.channels + 16; }
  [[nodiscard]] int64_t product_stride() const { return window.outputs + 16; }
  // And planes an odd number of lines apart, for a tile is written to all of them at once.
  [[nodiscard]] int64_t pixel_plane() const { return odd_lines(block * pixel_stride()); }
  [[nodiscard]] int64_t product_plane() const { return odd_lines(block * product_stride()); }
  [[nodiscard]] int64_t pixel_floats() const { return planes() * pixel_plane(); }
  [[nodiscard]] int64_t product_floats() const { return planes() * product_plane(); }
  // A tile at the image's edge, with the zeros around it.
  [[nodiscard]] int64_t edge_floats() const { return planes() * window.channels; }
  [[nodiscard]] int64_t block_floats() const {
    return (pixel_floats() + product_floats() + edge_floats() + 15) / 16 * 16;
  }
  // Few tiles: all threads work on one block, step by step.
  [[nodiscard]] bool together() const { return blocks == 1 && threads > 1; }
};

Tiling tiling_of(const ImageWindow& window, int size) {
  Tiling made{.window = window, .size = size};
  made.across = (window.out_width + size - 1) / size;
  made.down = (window.out_height + size - 1) / size;
  made.threads = thread_count();
  const int64_t weights = made.planes() * window.channels * window.outputs * 4;
  const int64_t tile = made.planes() * (made.pixel_stride() + made.product_stride()) * 4;
  const int64_t least = weights > kCachedWeights ? 3 * kTilesMin : kTilesMin;
  const int64_t wanted = std::max(kBlockBytes / tile, least);
  made.blocks = (made.tiles() + wanted - 1) / wanted;
  if (made.tiles() >= made.threads * kTilesMin)
    made.blocks = (made.blocks + made.threads - 1) / made.threads * made.threads;
  made.block = (made.tiles() + made.blocks - 1) / std::max<int64_t>(made.blocks, 1);
  return made;
}

class WinogradConvolution final : public Kernel {
 public:
  WinogradConvolution(KernelNeeds needs, const Tiling& tiling, const gemm::InstructionSet& set,
                      const float* weights, const float* bias, EpilogueForm form)
      : Kernel(std::move(needs)),
        tiling_(tiling),
        set_(set),
        transforms_(tiling.size == 4 ? set.of_four : set.of_two),
        weights_(weights),
        packed_(gemm::packed_floats(tiling.window.channels, tiling.window.outputs, set)),
        bias_(bias),
        form_(form) {}

  Status run(const KernelArguments& arguments) const override {
    if (tiling_.together()) {
      run_together(arguments, elements<float>(arguments.scratch));
      return {};
    }
    const auto work = [&](int64_t i, int thread) {
      Block block = block_in(elements<float>(arguments.scratch_of(thread)));
      block.begin = std::min(i * tiling_.block, tiling_.tiles());
      block.end = std::min(block.begin + tiling_.block, tiling_.tiles());
      read(arguments, block, block.begin, block.end, block.edge);
      multiply(block, 0, tiling_.planes());
      write(arguments, block, block.begin, block.end);
    };
    parallel_for(tiling_.blocks, work, tiling_.threads);
    return {};
  }

 private:
  // Tiles [begin, end) and the memory they are worked on in.
  struct Block {
    float* pixels;    // [plane, tile, channel]
    float* products;  // [plane, tile, output]
    float* edge;
    int64_t begin, end;
  };
  // Which part of the image a tile is.
  struct Spot {
    int64_t image, line, column;
  };

  Block block_in(float* memory) const {
    float* const products = memory + tiling_.pixel_floats();
    return {memory, products, products + tiling_.product_floats(), 0, tiling_.tiles()};
  }

  Spot spot_of(int64_t tile) const {
    const int64_t each = tiling_.across * tiling_.down;
    const int64_t in_image = tile % each;
    return {tile / each, in_image / tiling_.across * tiling_.size,
            in_image % tiling_.across * tiling_.size};
  }

  void run_together(const KernelArguments& arguments, float* scratch) const {
    const Block block = block_in(scratch);
    const int64_t parts = piece_count(block.end, 4, tiling_.threads);
    const auto cut = [&](int64_t i) { return block.end * i / parts; };
    const auto read_part = [&](int64_t i, int thread) {
      float* const edge = scratch + tiling_.block_floats() + thread * tiling_.edge_floats();
      read(arguments, block, cut(i), cut(i + 1), edge);
    };
    parallel_for(parts, read_part, tiling_.threads);
    parallel_for(tiling_.planes(), [&](int64_t plane) { multiply(block, plane, plane + 1); });
    parallel_for(parts, [&](int64_t i) { write(arguments, block, cut(i), cut(i + 1)); });
  }

  void read(const KernelArguments& arguments, const Block& block, int64_t begin, int64_t end,
            float* edge) const {
    const ImageWindow& window = tiling_.window;
    const auto* source = elements<float>(static_cast<const uint8_t*>(arguments.inputs[0]));
    const int64_t line_floats = window.width * window.channels;
    const int64_t reach = tiling_.size + 2;
    const int64_t plane = tiling_.pixel_plane();
    for (int64_t tile = begin; tile < end; ++tile) {
      const Spot spot = spot_of(tile);
      const int64_t top = spot.line - window.pad_top;
      const int64_t left = spot.column - window.pad_left;
      const float* const image = source + spot.image * window.height * line_floats;
      float* const to = block.pixels + (tile - block.begin) * tiling_.pixel_stride();
      const bool inside =
          top >= 0 && left >= 0 && top + reach <= window.height && left + reach <= window.width;
      if (inside) {
        const float* const pixels = image + top * line_floats + left * window.channels;
        transforms_.input(pixels, line_floats, window.channels, to, plane);
      } else {
        copy_edge(image, top, left, edge);
        transforms_.input(edge, reach * window.channels, window.channels, to, plane);
      }
    }
  }

  void copy_edge(const float* image, int64_t top, int64_t left, float* edge) const {
    const ImageWindow& window = tiling_.window;
    const int64_t reach = tiling_.size + 2;
    for (int64_t i = 0; i < reach; ++i) {
      for (int64_t j = 0; j < reach; ++j, edge += window.channels) {
        const int64_t line = top + i;
        const int64_t column = left + j;
        if (line < 0 || line >= window.height || column < 0 || column >= window.width) {
          std::fill_n(edge, window.channels, 0.0F);
        } else {
          std::copy_n(image + (line * window.width + column) * window.channels, window.channels,
                      edge);
        }
      }
    }
  }

  void multiply(const Block& block, int64_t begin, int64_t end) const {
    gemm::Product product{.a_stride = tiling_.pixel_stride(),
                          .depth = tiling_.window.channels,
                          .columns = tiling_.window.outputs,
                          .c_stride = tiling_.product_stride()};
    const int64_t panels = gemm::panel_count(product.columns, set_);
    for (int64_t plane = begin; plane < end; ++plane) {
      product.a = block.pixels + plane * tiling_.pixel_plane();
      product.b = weights_ + plane * packed_;
      product.c = block.products + plane * tiling_.product_plane();
      gemm::multiply(product, 0, block.end - block.begin, 0, panels, set_);
    }
  }

  void write(const KernelArguments& arguments, const Block& block, int64_t begin,
             int64_t end) const {
    const ImageWindow& window = tiling_.window;
    auto* const result = elements<float>(arguments.outputs[0]);
    const float* addend = nullptr;
    if (form_.addend)
      addend = elements<float>(static_cast<const uint8_t*>(arguments.inputs[*form_.addend]));
    gemm::OutputTile to{.line_stride = window.out_width * tiling_.out_pitch,
                        .pixel_stride = tiling_.out_pitch,
                        .epilogue = form_.epilogue};
    to.epilogue.bias = bias_;
    for (int64_t tile = begin; tile < end; ++tile) {
      const Spot spot = spot_of(tile);
      const int64_t line = spot.image * window.out_height + spot.line;
      const int64_t at = (line * window.out_width + spot.column) * tiling_.out_pitch;
      to.to = result + at;
      to.epilogue.addend = addend == nullptr ? nullptr : addend + at;
      to.lines = std::min<int64_t>(tiling_.size, window.out_height - spot.line);
      to.columns = std::min<int64_t>(tiling_.size, window.out_width - spot.column);
      transforms_.output(block.products + (tile - block.begin) * tiling_.product_stride(),
                         tiling_.product_plane(), window.outputs, to);
    }
  }

  Tiling tiling_;
  const gemm::InstructionSet& set_;
  gemm::Transforms transforms_;
  const float* weights_;
  int64_t packed_;
  const float* bias_;
  EpilogueForm form_;
};

// G of F(size, 3) for a column of three: each row makes one of size + 2.
void filter_line(const double (&g)[3], double (&t)[4]) {
  const double sum = (g[0] + g[2]) / 2;
  t[0] = g[0];
  t[1] = sum + g[1] / 2;
  t[2] = sum - g[1] / 2;
  t[3] = g[2];
}
void filter_line(const double (&g)[3], double (&t)[6]) {
  const double near = (g[0] + g[2]) / -6;
  const double far = g[0] / 24 + g[2] / 6;
  t[0] = g[0] / 4;
  t[1] = near - g[1] / 6;
  t[2] = near + g[1] / 6;
  t[3] = far + g[1] / 12;
  t[4] = far - g[1] / 12;
  t[5] = g[2];
}

// G f G' of a filter, each plane `stride` floats behind the last.
template <int kEdge>
void transform_filter(const float* filter, float* planes, int64_t stride) {
  double half[3][kEdge];
  for (int i = 0; i < 3; ++i)
    filter_line({filter[i * 3], filter[i * 3 + 1], filter[i * 3 + 2]}, half[i]);
  for (int j = 0; j < kEdge; ++j) {
    double made[kEdge];
    filter_line({half[0][j], half[1][j], half[2][j]}, made);
    for (int i = 0; i < kEdge; ++i) planes[(i * kEdge + j) * stride] = static_cast<float>(made[i]);
  }
}

// All planes of all filters [M,C,3,3], packed; a panel's filters at a time, for the planes in
// between are four times as large as the filters.
void pack_planes(const uint8_t* filters, const Tiling& tiling, const gemm::InstructionSet& set,
                 float* packed) {
  const int64_t channels = tiling.window.channels;
  const int64_t outputs = tiling.window.outputs;
  const int64_t floats = gemm::packed_floats(channels, outputs, set);
  const int64_t plane = channels * std::min(outputs, set.panel_columns);
  std::vector<float> planes(static_cast<size_t>(tiling.planes() * plane));
  for (int64_t first = 0; first < outputs; first += set.panel_columns) {
    const int64_t count = std::min(outputs - first, set.panel_columns);
    for (int64_t i = 0; i < count * channels; ++i) {
      float filter[9];
      std::memcpy(filter, filters + (first * channels + i) * 36, sizeof(filter));
      tiling.size == 4 ? transform_filter<6>(filter, planes.data() + i, plane)
                       : transform_filter<4>(filter, planes.data() + i, plane);
    }
    for (int64_t p = 0; p < tiling.planes(); ++p) {
      gemm::pack(planes.data() + p * plane, channels, count, 1, channels,
                 packed + p * floats + first * channels, set);
    }
  }
}

std::string packed_form(int size, const gemm::InstructionSet& set) {
  return formatted("winograd {} for {}", size, set.name);
}

Result<const float*> pack_weights(const KernelRequest& request, const Tiling& tiling,
                                  const gemm::InstructionSet& set) {
  const Tensor& weights = *request.constant(1);
  const auto fill = [&](MutableBytes bytes) -> Status {
    pack_planes(weights.loose_bytes().data(), tiling, set, elements<float>(bytes.data()));
    return {};
  };
  const int64_t floats =
      gemm::packed_floats(tiling.window.channels, tiling.window.outputs, set) * tiling.planes();
  const Bytes packed = TRY(request.packer.pack(weights, packed_form(tiling.size, set),
                                               static_cast<uint64_t>(floats) * 4, fill));
  return elements<float>(packed.data());
}

bool takes(const KernelRequest& request, const ImageWindow& window) {
  const bool constants = request.constant(1) != nullptr &&
                         (!request.node.input(2).present() || request.constant(2) != nullptr);
  const int64_t vector = gemm::instruction_set().vector_floats;
  return constants && window.groups == 1 && window.kernel_h == 3 && window.kernel_w == 3 &&
         window.stride_h == 1 && window.stride_w == 1 && window.dilation_h == 1 &&
         window.dilation_w == 1 && window.channels >= vector && window.outputs % vector == 0 &&
         window.batch * window.out_height * window.out_width > 0;
}

}  // namespace

Result<std::unique_ptr<Kernel>> make_winograd_convolution(const KernelRequest& request, int size) {
  const auto window = image_window(request);
  const auto form = epilogue_of(request);
  if (!window || !form || form->activation != Activate::kNone || !takes(request, *window))
    return nullptr;
  const gemm::InstructionSet& set = gemm::instruction_set();
  Tiling tiling = tiling_of(*window, size);
  // What is added lies as the result does.
  const bool pitched = request.output_pitch != 0 && !form->addend;
  tiling.out_pitch = pitched ? request.output_pitch : window->outputs;
  KernelNeeds needs{.outputs = {Layout::kChannelsLast}};
  needs.inputs.resize(request.node.inputs.size());
  needs.inputs[0] = Layout::kChannelsLast;
  needs.writes_pitched = pitched;
  if (form->addend) {
    needs.inputs[*form->addend] = Layout::kChannelsLast;
    needs.may_overwrite = {*form->addend};
  }
  needs.implementation = formatted("winograd {0}x{0} {1}", size, set.name);
  const int64_t edges = tiling.together() ? tiling.threads * tiling.edge_floats() : 0;
  needs.scratch_bytes = static_cast<uint64_t>(tiling.block_floats() + edges) * 4;
  needs.scratch_of_each_thread = !tiling.together();
  const float* const weights = TRY(pack_weights(request, tiling, set));
  const float* bias = nullptr;
  if (request.node.input(2).present())
    bias = elements<float>(TRY(request.packer.pack(*request.constant(2))).data());
  return std::make_unique<WinogradConvolution>(std::move(needs), tiling, set, weights, bias, *form);
}

namespace {

// Seconds that a product and what it reads take, from what processors of these years do: the
// relation between the figures decides, not the figures. Tiles are worked on within the caches,
// weights come from the last of them or from memory.
constexpr double kOperationsPerSecond = 112e9;
constexpr double kWeightBytesPerSecond = 27e9;
constexpr double kTileBytesPerSecond = 40e9;

double seconds_plain(const ImageWindow& window) {
  const auto pixels = static_cast<double>(window.batch * window.out_height * window.out_width);
  const auto weights = static_cast<double>(9 * window.channels * window.outputs);
  return 2 * pixels * weights / kOperationsPerSecond + 4 * weights / kWeightBytesPerSecond;
}

double seconds_of(const ImageWindow& window, int size) {
  const Tiling tiling = tiling_of(window, size);
  const auto planes = static_cast<double>(tiling.planes());
  const auto tiles = static_cast<double>(tiling.tiles());
  const auto weights = planes * static_cast<double>(window.channels * window.outputs);
  const auto moved = 2 * planes * tiles * static_cast<double>(window.channels + window.outputs);
  return 2 * tiles * weights / kOperationsPerSecond + 4 * weights / kWeightBytesPerSecond +
         4 * moved / kTileBytesPerSecond;
}

// Tile sizes, and 0 for the plain sum.
constexpr std::array kSizes = {0, 2, 4};
using Seconds = std::array<double, kSizes.size()>;

Seconds seconds_by_size(const ImageWindow& window) {
  return {seconds_plain(window), seconds_of(window, 2), seconds_of(window, 4)};
}

// The size that suits one image about as well as all of them: weights lie in memory in one form,
// whatever the batch.
size_t fastest(const ImageWindow& window) {
  const Seconds all = seconds_by_size(window);
  ImageWindow single = window;
  single.batch = 1;
  const Seconds one = seconds_by_size(single);
  size_t best = 0;
  // Of what is about as fast, what needs less memory and rounds less.
  for (size_t i = 1; i < kSizes.size(); ++i) {
    if (all[i] * one[i] < 0.81 * all[best] * one[best]) best = i;
  }
  return best;
}

// Weights that were packed for other shapes are not packed again for so little.
constexpr double kWorthPacking = 2;

}  // namespace

int winograd_size(const KernelRequest& request) {
  const auto window = image_window(request);
  const auto form = epilogue_of(request);
  if (!window || !form || form->activation != Activate::kNone || !takes(request, *window)) return 0;
  const gemm::InstructionSet& set = gemm::instruction_set();
  const Seconds seconds = seconds_by_size(*window);
  const size_t best = fastest(*window);
  for (size_t i = 0; i < kSizes.size(); ++i) {
    const std::string packed =
        kSizes[i] == 0 ? packed_window_form(window->groups, set) : packed_form(kSizes[i], set);
    if (request.packer.packed(*request.constant(1), packed) &&
        seconds[i] < kWorthPacking * seconds[best])
      return kSizes[i];
  }
  return kSizes[best];
}

}  // namespace casemate::engine
