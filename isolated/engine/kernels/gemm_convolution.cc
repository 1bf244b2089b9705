// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/gemm_convolution.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "isolated/engine/kernels/epilogue.h"
#include "isolated/engine/kernels/gemm_rows.h"
#include "isolated/engine/kernels/image.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// Lines of an image that one round takes: they stay in the second-level cache.
constexpr int64_t kLinesBytes = 256 << 10;
// Lines that are worth a piece of their own: those around them are copied for each.
constexpr int64_t kPieceLines = 4;
// Depth of one pass over the pieces: a panel of weights of it stays there as well.
using gemm::kPassDepth;

// How a convolution is laid out as products.
struct Layouts {
  ImageWindow window;
  bool planes;      // the image comes as [C,H,W]
  bool copied;      // with its padding into scratch memory
  int64_t columns;  // of a line as the product reads it
  int64_t depth;    // of a piece
  std::vector<int64_t> offsets;
  int64_t lines;         // of output in one round
  int64_t out_pitch;     // floats from pixel to pixel of the result
  int64_t packed_group;  // floats
  int threads;

  [[nodiscard]] int64_t group_outputs() const { return window.outputs / window.groups; }
  [[nodiscard]] int64_t copy_floats() const {
    return copied ? window.reach_h(lines) * columns * window.channels : 0;
  }
};

Layouts layouts_of(const ImageWindow& window, bool planes) {
  Layouts made{.window = window, .planes = planes, .copied = planes || window.padded()};
  made.columns = made.copied ? window.reach_w() : window.width;
  const int64_t channels = window.channels / window.groups;
  // A line of the window is one piece where its columns lie side by side.
  const bool whole = window.groups == 1 && window.dilation_w == 1;
  made.depth = whole ? window.kernel_w * channels : channels;
  for (int64_t h = 0; h < window.kernel_h; ++h) {
    for (int64_t w = 0; w < (whole ? 1 : window.kernel_w); ++w) {
      made.offsets.push_back((h * window.dilation_h * made.columns + w * window.dilation_w) *
                             window.channels);
    }
  }
  const int64_t line_bytes = made.columns * window.channels * 4 * window.stride_h;
  const int64_t extra = (window.kernel_h - 1) * window.dilation_h * made.columns * window.channels;
  made.lines = std::clamp<int64_t>((kLinesBytes - extra * 4) / line_bytes, 1, window.out_height);
  made.threads = thread_count();
  return made;
}

class GemmConvolution final : public Kernel {
 public:
  GemmConvolution(KernelNeeds needs, Layouts layouts, const gemm::InstructionSet& set,
                  const float* weights, const float* bias, EpilogueForm form)
      : Kernel(std::move(needs)),
        layouts_(std::move(layouts)),
        set_(set),
        weights_(weights),
        bias_(bias),
        form_(form) {}

  Status run(const KernelArguments& arguments) const override {
    const ImageWindow& window = layouts_.window;
    const int64_t lines = window.batch * window.out_height;
    const int64_t panels = gemm::panel_count(layouts_.group_outputs(), set_);
    const bool by_lines = shares_lines(lines, panels);
    const int64_t whole = by_lines ? lines : panels;
    const int64_t pieces =
        piece_count(whole, by_lines ? std::min(layouts_.lines, kPieceLines) : 1, layouts_.threads);
    const auto work = [&](int64_t piece, int thread) {
      const Range mine = {whole * piece / pieces, whole * (piece + 1) / pieces};
      Part part{.lines = by_lines ? mine : Range{0, lines},
                .panels = by_lines ? Range{0, panels} : mine,
                .scratch = nullptr};
      if (layouts_.copied) part.scratch = elements<float>(arguments.scratch_of(thread));
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
    float* scratch;
  };
  // Threads share lines, or panels where the weights are the larger part of what is read. Groups
  // have panels of their own.
  bool shares_lines(int64_t lines, int64_t panels) const {
    const ImageWindow& window = layouts_.window;
    const int64_t image = window.batch * window.height * window.width * window.channels;
    return window.groups > 1 || panels < layouts_.threads ||
           (layouts_.packed_group <= image && lines >= layouts_.threads);
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
    const float* source = elements<float>(static_cast<const uint8_t*>(arguments.inputs[0])) +
                          image * window.height * window.width * window.channels;
    const float* lines = source + first * window.stride_h * layouts_.columns * window.channels;
    if (layouts_.copied) {
      const int64_t top = first * window.stride_h - window.pad_top;
      const auto copy = layouts_.planes ? copy_padded_planes<float> : copy_padded<float>;
      copy(source, window, top, window.reach_h(count), layouts_.columns, part.scratch, 0.0F);
      lines = part.scratch;
    }
    const int64_t pixel = (image * window.out_height + first) * window.out_width;
    float* result = elements<float>(arguments.outputs[0]) + pixel * layouts_.out_pitch;
    gemm::Epilogue epilogue = form_.epilogue;
    epilogue.bias = bias_;
    epilogue.addend_stride = window.outputs;
    if (form_.addend)
      epilogue.addend =
          elements<float>(static_cast<const uint8_t*>(arguments.inputs[*form_.addend])) +
          pixel * window.outputs;
    for (int64_t group = 0; group < window.groups; ++group) {
      for (int64_t panel = part.panels.begin; panel < part.panels.end; ++panel)
        run_panel(lines, result, epilogue, group, panel, count);
    }
    activate(part, result, count * window.out_width);
  }

  // What the part made of these pixels.
  void activate(const Part& part, float* result, int64_t pixels) const {
    const int64_t outputs = layouts_.window.outputs;
    const int64_t first = part.panels.begin * set_.panel_columns;
    const int64_t last = std::min(part.panels.end * set_.panel_columns, outputs);
    const bool all = layouts_.window.groups > 1;  // whose parts are of lines
    activate_rows(form_.activation, result + (all ? 0 : first), pixels,
                  all ? outputs : last - first, layouts_.out_pitch);
  }

  void run_panel(const float* lines, float* result, gemm::Epilogue epilogue, int64_t group,
                 int64_t panel, int64_t count) const {
    const ImageWindow& window = layouts_.window;
    const int64_t outputs = layouts_.group_outputs();
    const int64_t column = panel * set_.panel_columns;
    const int64_t columns = std::min(outputs - column, set_.panel_columns);
    const int64_t width =
        (columns + set_.vector_floats - 1) / set_.vector_floats * set_.vector_floats;
    const int64_t pieces = static_cast<int64_t>(layouts_.offsets.size());
    const int64_t step = std::max<int64_t>(kPassDepth / layouts_.depth, 1);
    const int64_t skip = group * outputs + column;
    if (epilogue.bias != nullptr) epilogue.bias += skip;
    if (epilogue.addend != nullptr) epilogue.addend += skip;
    const float* weights =
        weights_ + group * layouts_.packed_group + pieces * layouts_.depth * column;
    gemm::Panel part{.a = nullptr,
                     .a_stride = window.stride_w * window.channels,
                     .rows = window.out_width,
                     .depth = layouts_.depth,
                     .c_stride = layouts_.out_pitch,
                     .columns = columns};
    // The same pass over the next panel's weights is fetched meanwhile, a part with each line.
    const int64_t left = outputs - column - columns;
    const int64_t next_width =
        std::min((left + set_.vector_floats - 1) / set_.vector_floats * set_.vector_floats,
                 set_.panel_columns);
    const float* next = weights + pieces * layouts_.depth * width;
    for (int64_t piece = 0; piece < pieces; piece += step) {
      part.offsets = layouts_.offsets.data() + piece;
      part.pieces = std::min(step, pieces - piece);
      part.b = weights + piece * layouts_.depth * width;
      part.accumulate = piece > 0;
      part.last = piece + part.pieces == pieces;
      const int64_t share = part.pieces * layouts_.depth * next_width / count;
      part.next_bytes = share * 4;
      for (int64_t line = 0; line < count; ++line, next += share) {
        part.next = next;
        part.a = lines + line * window.stride_h * layouts_.columns * window.channels +
                 group * (window.channels / window.groups);
        part.c = result + line * window.out_width * layouts_.out_pitch + skip;
        part.epilogue = epilogue;
        if (epilogue.addend != nullptr)
          part.epilogue.addend += line * window.out_width * window.outputs;
        set_.multiply(part);
      }
    }
  }

  Layouts layouts_;
  const gemm::InstructionSet& set_;
  const float* weights_;
  const float* bias_;
  EpilogueForm form_;
};

// Whether the lines under one window, with their padding, are few enough to be copied. Kernels,
// dilations and pads may be up to 2^30 each, so their product is not formed.
bool lines_fit(const ImageWindow& window) {
  constexpr int64_t kFloatsMax = 16 << 20;
  const int64_t columns = window.reach_w();
  if (columns > kFloatsMax / window.channels) return false;
  return window.reach_h(1) <= kFloatsMax / (columns * window.channels);
}

bool takes(const KernelRequest& request, const ImageWindow& window) {
  const bool constants = request.constant(1) != nullptr &&
                         (!request.node.input(2).present() || request.constant(2) != nullptr);
  const int64_t outputs = window.outputs / window.groups;
  const int64_t channels = window.channels / window.groups;
  return constants && outputs >= 4 && (window.groups == 1 || channels >= 16) && lines_fit(window);
}

}  // namespace

std::string packed_window_form(int64_t groups, const gemm::InstructionSet& set) {
  return formatted("windows for {} in {} groups", set.name, groups);
}

Result<const float*> pack_windows(Packer& packer, const ImageWindow& window, const Tensor& weights,
                                  const gemm::InstructionSet& set) {
  const int64_t channels = window.channels / window.groups;
  const int64_t outputs = window.outputs / window.groups;
  const int64_t area = window.kernel_h * window.kernel_w;
  const int64_t depth = area * channels;
  const int64_t floats = gemm::packed_floats(depth, outputs, set);
  const gemm::Rows rows{area, 1, channels, area};
  const auto fill = [&](MutableBytes bytes) -> Status {
    const uint8_t* const from = weights.loose_bytes().data();
    for (int64_t group = 0; group < window.groups; ++group) {
      gemm::pack(from + group * outputs * depth * 4, rows, outputs, depth,
                 elements<float>(bytes.data()) + group * floats, set);
    }
    return {};
  };
  const auto unpack = [=, &set, groups = window.groups](Bytes packed) {
    std::string plain(static_cast<size_t>(groups * outputs * depth) * 4, '\0');
    auto* const to = elements<float>(static_cast<uint8_t*>(static_cast<void*>(plain.data())));
    for (int64_t group = 0; group < groups; ++group) {
      gemm::unpack(elements<float>(packed.data()) + group * floats, rows, outputs, depth,
                   to + group * outputs * depth, set);
    }
    return plain;
  };
  const Bytes packed =
      TRY(packer.pack(weights, packed_window_form(window.groups, set),
                      static_cast<uint64_t>(floats * window.groups) * 4, fill, unpack));
  return elements<float>(packed.data());
}

Result<std::unique_ptr<Kernel>> make_gemm_convolution(const KernelRequest& request) {
  const auto window = image_window(request);
  const auto form = epilogue_of(request);
  if (!window || !form || !takes(request, *window)) return nullptr;
  const gemm::InstructionSet& set = gemm::instruction_set();
  const Layout source =
      window->channels <= 4 && request.layouts[0] == Layout::kRowMajor && window->channels > 1
          ? Layout::kRowMajor
          : Layout::kChannelsLast;
  KernelNeeds needs{.outputs = {Layout::kChannelsLast}};
  needs.inputs.resize(request.node.inputs.size());
  needs.inputs[0] = source;
  if (form->addend) {
    needs.inputs[*form->addend] = Layout::kChannelsLast;
    needs.may_overwrite = {*form->addend};
  }
  const float* const weights =
      TRY(pack_windows(request.packer, *window, *request.constant(1), set));
  const float* bias = nullptr;
  if (request.node.input(2).present())
    bias = elements<float>(TRY(request.packer.pack(*request.constant(2))).data());
  const bool pointwise = window->kernel_h * window->kernel_w == 1 && window->stride_h == 1 &&
                         window->stride_w == 1 && window->groups == 1 && !window->padded() &&
                         source == Layout::kChannelsLast;
  needs.implementation = formatted("gemm {} {}", pointwise ? "pointwise" : "windows", set.name);
  Layouts layouts = layouts_of(*window, source == Layout::kRowMajor);
  // In place only where C is stored once.
  const int64_t depth = layouts.depth * static_cast<int64_t>(layouts.offsets.size());
  if (depth > kPassDepth) needs.may_overwrite.clear();
  layouts.out_pitch = request.output_pitch == 0 ? window->outputs : request.output_pitch;
  needs.writes_pitched = request.output_pitch != 0;
  if (pointwise) {
    needs.reads_pitched = request.input_pitch != 0;
    gemm::Product product{.depth = window->channels, .b = weights, .columns = window->outputs};
    product.a_stride = needs.reads_pitched ? request.input_pitch : window->channels;
    product.c_stride = layouts.out_pitch;
    product.epilogue = form->epilogue;
    product.epilogue.bias = bias;
    product.epilogue.addend_stride = window->outputs;
    const int64_t rows = window->batch * window->height * window->width;
    return std::make_unique<GemmRows>(std::move(needs), product, rows, layouts.threads, set, *form);
  }
  layouts.packed_group = gemm::packed_floats(depth, layouts.group_outputs(), set);
  needs.scratch_bytes = static_cast<uint64_t>(layouts.copy_floats()) * 4;
  needs.scratch_of_each_thread = true;
  return std::make_unique<GemmConvolution>(std::move(needs), std::move(layouts), set, weights, bias,
                                           *form);
}

}  // namespace casemate::engine
