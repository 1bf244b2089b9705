// SPDX-License-Identifier: Apache-2.0
// QLinearConv and ConvInteger on our own product of bytes, channels last in and out, as
// gemm_convolution.h does Conv on gemm.h: the lines under a window are pieces of a row. What lies
// around the image is its zero point.
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/kernels/byte_depthwise.h"
#include "isolated/engine/kernels/byte_rows.h"
#include "isolated/engine/kernels/image.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// Lines of an image that one round takes: they stay in the second-level cache.
constexpr int64_t kLinesBytes = 256 << 10;
// Lines that are worth a piece of their own: those around them are copied for each.
constexpr int64_t kPieceLines = 4;

// How a convolution is laid out as products.
struct Layouts {
  ImageWindow window;
  bool planes;      // the image comes as [C,H,W]
  bool copied;      // with its padding into scratch memory
  int64_t columns;  // of a line as the product reads it
  byte_product::Rows rows;
  std::vector<int64_t> offsets;
  int64_t lines;  // of output in one round
  int64_t result_bytes;
  int threads;

  [[nodiscard]] int64_t group_outputs() const { return window.outputs / window.groups; }
  [[nodiscard]] int64_t group_channels() const { return window.channels / window.groups; }
  [[nodiscard]] int64_t copy_bytes() const {
    if (!copied) return 0;
    return (window.reach_h(lines) * columns * window.channels + 63) / 64 * 64;
  }
  // Of one thread: the copied lines, and the sums of the rows of A.
  [[nodiscard]] int64_t scratch_bytes() const {
    return copy_bytes() + (lines * window.out_width * 4 + 63) / 64 * 64;
  }
};

Layouts layouts_of(const ImageWindow& window, bool planes, int64_t result_bytes) {
  Layouts made{.window = window,
               .planes = planes,
               .copied = planes || window.padded(),
               .result_bytes = result_bytes};
  made.columns = made.copied ? window.reach_w() : window.width;
  const int64_t channels = made.group_channels();
  const int64_t area = window.kernel_h * window.kernel_w;
  // A line of the window is one piece where its columns lie side by side.
  const bool whole = window.groups == 1 && window.dilation_w == 1;
  made.rows =
      whole
          ? byte_product::Rows{window.kernel_h, window.kernel_w, window.kernel_w, 1, channels, area}
          : byte_product::Rows{area, 1, 1, 0, channels, area};
  for (int64_t h = 0; h < window.kernel_h; ++h) {
    for (int64_t w = 0; w < (whole ? 1 : window.kernel_w); ++w) {
      made.offsets.push_back((h * window.dilation_h * made.columns + w * window.dilation_w) *
                             window.channels);
    }
  }
  const int64_t line_bytes = made.columns * window.channels * window.stride_h;
  const int64_t extra = (window.kernel_h - 1) * window.dilation_h * made.columns * window.channels;
  made.lines = std::clamp<int64_t>((kLinesBytes - extra) / line_bytes, 1, window.out_height);
  made.threads = thread_count();
  return made;
}

class ByteConvolution final : public Kernel {
 public:
  ByteConvolution(KernelNeeds needs, Layouts layouts, const PackedBytes& weights, ByteForm form)
      : Kernel(std::move(needs)),
        layouts_(std::move(layouts)),
        set_(byte_product::instruction_set()),
        weights_(weights),
        form_(std::move(form)) {}

  Status run(const KernelArguments& arguments) const override {
    const ImageWindow& window = layouts_.window;
    const int64_t lines = window.batch * window.out_height;
    const int64_t panels = byte_product::panel_count(layouts_.group_outputs(), set_);
    const bool by_lines = shares_lines(lines, panels);
    const int64_t whole = by_lines ? lines : panels;
    const int64_t pieces =
        piece_count(whole, by_lines ? std::min(layouts_.lines, kPieceLines) : 1, layouts_.threads);
    const auto work = [&](int64_t piece, int thread) {
      const Range mine = {whole * piece / pieces, whole * (piece + 1) / pieces};
      const Part part{.lines = by_lines ? mine : Range{0, lines},
                      .panels = by_lines ? Range{0, panels} : mine,
                      .scratch = arguments.scratch_of(thread)};
      run_part(arguments, part);
    };
    parallel_for(pieces, work, layouts_.threads);
    return {};
  }

 private:
  struct Range {
    int64_t begin, end;
  };
  struct Part {
    Range lines, panels;
    uint8_t* scratch;
    [[nodiscard]] int32_t* sums(const Layouts& layouts) const {
      return elements<int32_t>(scratch + layouts.copy_bytes());
    }
  };
  // Threads share lines, or panels where the weights are the larger part of what is read. Groups
  // have panels of their own.
  bool shares_lines(int64_t lines, int64_t panels) const {
    const ImageWindow& window = layouts_.window;
    const int64_t image = window.batch * window.height * window.width * window.channels;
    return window.groups > 1 || panels < layouts_.threads ||
           (weights_.group_bytes <= image && lines >= layouts_.threads);
  }

  void run_part(const KernelArguments& arguments, const Part& part) const {
    const ImageWindow& window = layouts_.window;
    for (int64_t line = part.lines.begin; line < part.lines.end;) {
      const int64_t image = line / window.out_height;
      const int64_t first = line % window.out_height;
      const int64_t count =
          std::min({layouts_.lines, window.out_height - first, part.lines.end - line});
      run_lines(arguments, part, image, first, count);
      line += count;
    }
  }

  // The lines [first, first + count) of one image's result.
  void run_lines(const KernelArguments& arguments, const Part& part, int64_t image, int64_t first,
                 int64_t count) const {
    const ImageWindow& window = layouts_.window;
    const uint8_t* source =
        arguments.inputs[0] + image * window.height * window.width * window.channels;
    const uint8_t* lines = source + first * window.stride_h * layouts_.columns * window.channels;
    if (layouts_.copied) {
      const int64_t top = first * window.stride_h - window.pad_top;
      const auto copy = layouts_.planes ? copy_padded_planes<uint8_t> : copy_padded<uint8_t>;
      copy(source, window, top, window.reach_h(count), layouts_.columns, part.scratch,
           static_cast<uint8_t>(form_.a_zero));
      lines = part.scratch;
    }
    const int64_t at = (image * window.out_height + first) * window.out_width * window.outputs;
    byte_product::Epilogue epilogue = form_.pointed();
    if (form_.addend) {
      epilogue.addend.bytes = arguments.inputs[*form_.addend] + at;
      epilogue.addend.stride = window.outputs;
    }
    uint8_t* const result = arguments.outputs[0] + at * layouts_.result_bytes;
    for (int64_t group = 0; group < window.groups; ++group) {
      if (epilogue.b_zeros != nullptr) sum_rows(part, lines, group, count);
      for (int64_t panel = part.panels.begin; panel < part.panels.end; ++panel)
        run_panel(part, lines, result, epilogue, group, panel, count);
    }
  }

  // A line of output pixels as rows of A.
  byte_product::Panel line_of(const uint8_t* lines, int64_t group, int64_t line) const {
    const ImageWindow& window = layouts_.window;
    return {.a = lines + line * window.stride_h * layouts_.columns * window.channels +
                 group * layouts_.group_channels(),
            .a_stride = window.stride_w * window.channels,
            .rows = window.out_width,
            .depth = layouts_.rows.depth(),
            .offsets = layouts_.offsets.data(),
            .pieces = layouts_.rows.pieces,
            .b = nullptr,
            .c = nullptr,
            .c_stride = window.outputs * layouts_.result_bytes,
            .columns = 0,
            .epilogue = {}};
  }

  void sum_rows(const Part& part, const uint8_t* lines, int64_t group, int64_t count) const {
    for (int64_t line = 0; line < count; ++line) {
      set_.sum_rows[form_.signs.a](line_of(lines, group, line),
                                   part.sums(layouts_) + line * layouts_.window.out_width);
    }
  }

  void run_panel(const Part& work, const uint8_t* lines, uint8_t* result,
                 const byte_product::Epilogue& epilogue, int64_t group, int64_t panel,
                 int64_t count) const {
    const ImageWindow& window = layouts_.window;
    const int64_t outputs = layouts_.group_outputs();
    const int64_t column = panel * set_.panel_columns;
    const int64_t skip = group * outputs + column;
    const uint8_t* const weights =
        weights_.group(group) + byte_product::panel_offset(layouts_.rows, panel, set_);
    for (int64_t line = 0; line < count; ++line) {
      byte_product::Panel part = line_of(lines, group, line);
      part.b = weights;
      part.c = result + (line * window.out_width * window.outputs + skip) * layouts_.result_bytes;
      part.columns = std::min(outputs - column, set_.panel_columns);
      part.epilogue = byte_product::from_column(epilogue, skip);
      if (epilogue.b_zeros != nullptr)
        part.epilogue.row_sums = work.sums(layouts_) + line * window.out_width;
      if (epilogue.addend.bytes != nullptr)
        part.epilogue.addend.bytes += line * window.out_width * window.outputs;
      set_.multiply[form_.signs.a](part);
    }
  }

  Layouts layouts_;
  const byte_product::InstructionSet& set_;
  PackedBytes weights_;
  ByteForm form_;
};

// Whether the lines under one window, with their padding, are few enough to be copied. Kernels,
// dilations and pads may be up to 2^30 each, so their product is not formed.
bool lines_fit(const ImageWindow& window) {
  constexpr int64_t kBytesMax = 64 << 20;
  const int64_t columns = window.reach_w();
  if (columns > kBytesMax / window.channels) return false;
  return window.reach_h(1) <= kBytesMax / (columns * window.channels);
}

KernelResult make_windows(const KernelRequest& request, const ByteInputs& inputs,
                          const ImageWindow& window, ByteForm form) {
  const byte_product::InstructionSet& set = byte_product::instruction_set();
  const Layout source =
      window.channels <= 4 && request.layouts[0] == Layout::kRowMajor && window.channels > 1
          ? Layout::kRowMajor
          : Layout::kChannelsLast;
  KernelNeeds needs{.outputs = {Layout::kChannelsLast}};
  needs.inputs.resize(request.node.inputs.size());
  needs.inputs[0] = source;
  if (form.addend) {
    needs.inputs[*form.addend] = Layout::kChannelsLast;
    needs.may_overwrite = {*form.addend};
  }
  const auto size = static_cast<int64_t>(size_of(request.output_type()));
  Layouts layouts = layouts_of(window, source == Layout::kRowMajor, size);
  const int64_t outputs = layouts.group_outputs();
  const PackedBytes weights = TRY(pack_bytes(request, inputs.b, layouts.rows, window.groups,
                                             outputs, layouts.rows.count(), form.signs));
  const bool pointwise = window.kernel_h * window.kernel_w == 1 && window.stride_h == 1 &&
                         window.stride_w == 1 && window.groups == 1 && !layouts.copied;
  if (pointwise) {
    RowProduct product{.rows = window.batch * window.height * window.width,
                       .depth = window.channels,
                       .b = weights,
                       .epilogue = {},
                       .result_bytes = static_cast<uint64_t>(size)};
    return make_byte_rows(std::move(needs), product, std::move(form));
  }
  std::vector<int32_t> sums;
  for (int64_t group = 0; group < window.groups; ++group) {
    const int32_t* const from = weights.sums(group, set);
    sums.insert(sums.end(), from, from + outputs);
  }
  compensate(form, sums.data(), layouts.rows.count());
  needs.scratch_bytes = static_cast<uint64_t>(layouts.scratch_bytes());
  needs.scratch_of_each_thread = true;
  needs.implementation = formatted("bytes windows {}", set.name);
  return std::make_unique<ByteConvolution>(std::move(needs), std::move(layouts), weights,
                                           std::move(form));
}

KernelResult make_convolution(const KernelRequest& request, const ByteInputs& inputs) {
  const auto window = image_window(request);
  const Tensor* const weights = request.constant(inputs.b);
  if (!window || weights == nullptr || request.constant(inputs.a) != nullptr)
    return Error{Code::kUnsupported, "it is no image, or its weights are computed"};
  const Shape& shape = weights->shape();
  if (shape.rank() < 3 || window->channels == 0 || window->outputs == 0 || window->groups <= 0 ||
      shape[0] != window->outputs || shape[1] * window->groups != window->channels ||
      window->outputs % window->groups != 0 || window->batch * window->out_height == 0 ||
      window->out_width == 0 || !lines_fit(*window))
    return Error{Code::kUnsupported, "its weights do not fit its image, or there is nothing to do"};
  ByteForm form = TRY(byte_form(request, inputs, window->outputs));
  if (depthwise_takes(*window, form)) return make_byte_depthwise(request, inputs, *window, form);
  return make_windows(request, inputs, *window, std::move(form));
}

KernelResult make_quantized(const KernelRequest& request) {
  return make_convolution(request, kQuantizedInputs);
}
KernelResult make_integer(const KernelRequest& request) {
  return make_convolution(request, kIntegerInputs);
}

}  // namespace

void register_byte_convolution(Registry& registry) {
  for (const ElementType type : {ElementType::kUint8, ElementType::kInt8}) {
    registry.add_mixed("QLinearConv", type, Device::kCpu, make_quantized);
    registry.add_mixed("ConvInteger", type, Device::kCpu, make_integer);
  }
}

}  // namespace casemate::engine
