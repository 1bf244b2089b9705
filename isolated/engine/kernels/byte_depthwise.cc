// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/byte_depthwise.h"

#include <algorithm>

#include "base/format.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

using byte_product::InstructionSet;

// Lines that are worth a piece of their own.
constexpr int64_t kPieceLines = 4;

// The set whose blocks of channels are the largest that fit; nullptr: none does.
const InstructionSet* set_for(int64_t channels) {
  const byte_product::InstructionSets sets = byte_product::instruction_sets();
  for (int i = 0; i < sets.count; ++i) {
    if (sets.list[i]->depthwise_channels <= channels) return sets.list[i];
  }
  return nullptr;
}

// Which channel has which place in packed order: [blocks][4][lanes], the last block a whole one.
std::vector<int64_t> channel_order(int64_t channels, int64_t block_channels) {
  const int64_t lanes = block_channels / 4;
  std::vector<int64_t> order;
  for (int64_t block = 0; block < (channels + block_channels - 1) / block_channels; ++block) {
    const int64_t first = std::min(block * block_channels, channels - block_channels);
    for (int64_t vector = 0; vector < 4; ++vector) {
      for (int64_t lane = 0; lane < lanes; ++lane)
        order.push_back(first + lane / 4 * 16 + vector * 4 + lane % 4);
    }
  }
  return order;
}

class DepthwiseOrder final {
 public:
  DepthwiseOrder(const ImageWindow& window, const InstructionSet& set)
      : height_(window.kernel_h),
        width_(window.kernel_w),
        channels_(window.channels),
        block_(set.depthwise_channels),
        order_(channel_order(window.channels, set.depthwise_channels)) {}

  [[nodiscard]] int64_t groups() const { return (height_ + 3) / 4; }
  [[nodiscard]] int64_t weight_bytes() const {
    return static_cast<int64_t>(order_.size()) * groups() * width_ * 4;
  }
  // Visits the weights [C,KH,KW]: element(where, where in packed order, channel).
  template <class Element>
  void walk(Element element) const {
    const auto places = static_cast<int64_t>(order_.size());
    for (int64_t place = 0; place < places; ++place) {
      const int64_t channel = order_[static_cast<size_t>(place)];
      const int64_t block = place / block_;
      const int64_t in_block = place % block_;
      for (int64_t h = 0; h < height_; ++h) {
        for (int64_t w = 0; w < width_; ++w) {
          const int64_t vectors = (block * groups() + h / 4) * width_ + w;
          element((channel * height_ + h) * width_ + w, vectors * block_ * 4 + in_block * 4 + h % 4,
                  channel);
        }
      }
    }
  }
  template <class T>
  std::vector<T> ordered(const std::vector<T>& values) const {
    std::vector<T> made;
    for (const int64_t channel : order_) made.push_back(values[static_cast<size_t>(channel)]);
    return made;
  }
  [[nodiscard]] int64_t channels() const { return channels_; }

 private:
  int64_t height_, width_, channels_, block_;
  std::vector<int64_t> order_;
};

class ByteDepthwise final : public Kernel {
 public:
  ByteDepthwise(KernelNeeds needs, const ImageWindow& window, const InstructionSet& set,
                const byte_product::DepthwiseLine& line, std::vector<int32_t> bias,
                std::vector<float> scales, uint8_t around, bool moved)
      : Kernel(std::move(needs)),
        window_(window),
        set_(set),
        line_(line),
        bias_(std::move(bias)),
        scales_(std::move(scales)),
        around_(around),
        moved_(moved),
        threads_(thread_count()) {}

  // Scratch memory of a thread: pointers to lines, and lines with what is around them.
  static int64_t scratch_bytes(const ImageWindow& window, int64_t groups) {
    const int64_t lines = window.reach_h(kPieceLines) * window.reach_w() * window.channels;
    return (groups * 4 * 8 + 63) / 64 * 64 + (lines + 63) / 64 * 64;
  }

  Status run(const KernelArguments& arguments) const override {
    const int64_t whole = window_.batch * window_.out_height;
    const int64_t pieces = piece_count(whole, kPieceLines, threads_);
    const auto work = [&](int64_t piece, int thread) {
      uint8_t* const memory = arguments.scratch_of(thread);
      const int64_t end = whole * (piece + 1) / pieces;
      for (int64_t line = whole * piece / pieces; line < end;) {
        const int64_t first = line % window_.out_height;
        const int64_t count = std::min({kPieceLines, window_.out_height - first, end - line});
        run_lines(arguments, memory, line / window_.out_height, first, count);
        line += count;
      }
    };
    parallel_for(pieces, work, threads_);
    return {};
  }

 private:
  void run_lines(const KernelArguments& arguments, uint8_t* memory, int64_t image, int64_t first,
                 int64_t count) const {
    const int64_t line_bytes = window_.reach_w() * window_.channels;
    const int64_t pointers = line_.groups * 4;
    const auto** const lines = static_cast<const uint8_t**>(static_cast<void*>(memory));
    uint8_t* const copy = memory + (pointers * 8 + 63) / 64 * 64;
    const uint8_t* const source =
        arguments.inputs[0] + image * window_.height * window_.width * window_.channels;
    const int64_t reach = window_.reach_h(count);
    copy_padded(source, window_, first * window_.stride_h - window_.pad_top, reach,
                window_.reach_w(), copy, around_);
    if (moved_) {
      for (int64_t i = 0; i < reach * line_bytes; ++i) copy[i] ^= 0x80;
    }
    byte_product::DepthwiseLine line = line_;
    line.lines = lines;
    line.bias = bias_.data();
    line.scales = scales_.data();
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t h = 0; h < pointers; ++h) {
        const int64_t in = std::min(h, window_.kernel_h - 1) * window_.dilation_h;
        lines[h] = copy + (i * window_.stride_h + in) * line_bytes;
      }
      line.out = arguments.outputs[0] +
                 (image * window_.out_height + first + i) * window_.out_width * window_.channels;
      set_.depthwise(line);
    }
  }

  ImageWindow window_;
  const InstructionSet& set_;
  byte_product::DepthwiseLine line_;
  std::vector<int32_t> bias_;
  std::vector<float> scales_;
  uint8_t around_;
  bool moved_;  // A is signed, and made unsigned
  int threads_;
};

// The weights in packed order, as signed bytes, and behind them the sum of each channel's.
Result<Bytes> pack_depthwise(const KernelRequest& request, const ByteInputs& inputs,
                             const DepthwiseOrder& order, const InstructionSet& set,
                             bool b_signed) {
  const Tensor& weights = *request.constant(inputs.b);
  const auto flip = static_cast<uint8_t>(b_signed ? 0 : 0x80);
  const int64_t bytes = order.weight_bytes();
  const auto fill = [&](MutableBytes packed) -> Status {
    std::ranges::fill(packed, uint8_t{0});
    const uint8_t* const from = weights.loose_bytes().data();
    auto* const sums = elements<int32_t>(packed.data() + bytes);
    std::vector<bool> summed(static_cast<size_t>(order.channels()));
    order.walk([&](int64_t at, int64_t to, int64_t) {
      packed[static_cast<size_t>(to)] = static_cast<uint8_t>(from[at] ^ flip);
    });
    const auto area = static_cast<int64_t>(weights.count()) / order.channels();
    for (int64_t i = 0; i < order.channels() * area; ++i)
      sums[i / area] += static_cast<int8_t>(from[i] ^ flip);
    return {};
  };
  const auto unpack = [=, count = weights.count()](Bytes packed) {
    std::string plain(count, '\0');
    order.walk([&](int64_t at, int64_t to, int64_t) {
      plain[static_cast<size_t>(at)] = static_cast<char>(packed[static_cast<size_t>(to)] ^ flip);
    });
    return plain;
  };
  return request.packer.pack(weights, formatted("bytes depth-wise for {} {}", set.name, b_signed),
                             static_cast<uint64_t>(bytes + order.channels() * 4), fill, unpack);
}

}  // namespace

bool depthwise_takes(const ImageWindow& window, const ByteForm& form) {
  const bool bytes = form.epilogue.store == byte_product::Store::kUint8 ||
                     form.epilogue.store == byte_product::Store::kInt8;
  // Weights are signed here; those that are not around 0 then are left to the plain product.
  const int32_t shift = form.signs.shift();
  const int32_t wanted = shift - (form.signs.b ? 0 : -128);
  const bool centred =
      form.b_zeros.empty()
          ? wanted == 0
          : std::ranges::all_of(form.b_zeros, [&](int32_t zero) { return zero == wanted; });
  return bytes && centred && !form.addend && window.groups == window.channels &&
         window.outputs == window.channels && window.dilation_w == 1 &&
         (window.kernel_w == 3 || window.kernel_w == 5) && window.kernel_h <= 8 &&
         (window.stride_w == 1 || window.stride_w == 2) && set_for(window.channels) != nullptr;
}

KernelResult make_byte_depthwise(const KernelRequest& request, const ByteInputs& inputs,
                                 const ImageWindow& window, ByteForm form) {
  const InstructionSet& set = *set_for(window.channels);
  const DepthwiseOrder order(window, set);
  const Tensor& weights = *request.constant(inputs.b);
  if (weights.count() != static_cast<uint64_t>(window.channels * window.kernel_h * window.kernel_w))
    return Error{Code::kInvalid, "its weights do not fit its image"};
  const Bytes packed = TRY(pack_depthwise(request, inputs, order, set, form.signs.b));
  const int64_t area = window.kernel_h * window.kernel_w;
  // As unsigned bytes.
  const bool moved = form.signs.a;
  const auto around = static_cast<uint8_t>(form.a_zero);
  form.b_zeros.clear();
  form.a_zero += moved ? 128 : 0;
  compensate(form, elements<int32_t>(packed.data() + order.weight_bytes()), area);
  KernelNeeds needs{.outputs = {Layout::kChannelsLast}};
  needs.inputs.resize(request.node.inputs.size());
  needs.inputs[inputs.a] = Layout::kChannelsLast;
  needs.scratch_bytes = static_cast<uint64_t>(ByteDepthwise::scratch_bytes(window, order.groups()));
  needs.scratch_of_each_thread = true;
  needs.implementation = formatted("bytes depth-wise {}", set.name);
  const byte_product::DepthwiseLine line{.lines = nullptr,
                                         .groups = order.groups(),
                                         .weights = packed.data(),
                                         .bias = nullptr,
                                         .scales = nullptr,
                                         .out = nullptr,
                                         .channels = window.channels,
                                         .out_width = window.out_width,
                                         .kernel_w = window.kernel_w,
                                         .stride = window.stride_w,
                                         .low = form.epilogue.low,
                                         .high = form.epilogue.high,
                                         .zero = form.epilogue.zero};
  return std::make_unique<ByteDepthwise>(std::move(needs), window, set, line,
                                         order.ordered(form.bias), order.ordered(form.scales),
                                         around, moved);
}

}  // namespace casemate::engine
