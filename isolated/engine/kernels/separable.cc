// SPDX-License-Identifier: Apache-2.0
// casemate:SeparableConv: a depth-wise convolution and the convolution of single pixels that reads
// it alone, as one kernel, channels last (Howard et al. 2017, "MobileNets", section 3.1). What the
// first makes never leaves the second-level cache: a few of its lines at a time are the left side
// of the second's product.
//
//   inputs      x [N,C,H,W], depth-wise weights [C,1,KH,KW] and bias [C], weights [M,C,1,1] and
//               bias [M], what is added
//   attributes  the window of the first, as Conv has it, and what follows it: "activation",
//               "alpha", "beta"
#include <algorithm>

#include "base/format.h"
#include "isolated/engine/kernels/depthwise.h"
#include "isolated/engine/kernels/gemm_convolution.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

constexpr size_t kFirstWeights = 1, kFirstBias = 2, kWeights = 3, kBias = 4;
// Of what the first makes, in a round: with a panel of weights it stays in a second-level cache.
constexpr int64_t kRoundBytes = 256 << 10;
// Weights that each thread had better not read for itself.
constexpr int64_t kSharedWeights = 1 << 20;

struct Sizes {
  ImageWindow window;  // of the depth-wise convolution
  int64_t outputs;
  int64_t lines;  // of results in one round
  int threads;
  // Few rows and many weights: all threads work on all rows, first on lines, then on panels.
  bool together;
  int64_t out_pitch = 0;  // floats from pixel to pixel of the result

  // Rows a power of two apart would share their places in the nearest cache.
  [[nodiscard]] int64_t row_floats() const { return window.channels + 16; }
  [[nodiscard]] int64_t all_lines() const { return window.batch * window.out_height; }
  [[nodiscard]] int64_t room_floats() const { return lines * window.out_width * row_floats(); }
  [[nodiscard]] uint64_t room_bytes() const {
    constexpr uint64_t kLine = 64;  // what lies behind it is aligned
    return (static_cast<uint64_t>(room_floats()) * sizeof(float) + kLine - 1) / kLine * kLine;
  }
};

Sizes sizes_of(const ImageWindow& window, int64_t outputs) {
  Sizes made{.window = window, .outputs = outputs, .lines = 1, .threads = thread_count()};
  const int64_t line_bytes = window.out_width * made.row_floats() * 4;
  const int64_t round = std::max<int64_t>(kRoundBytes / line_bytes, 1);
  made.together = made.threads > 1 && window.channels * outputs * 4 >= kSharedWeights &&
                  made.all_lines() <= round * made.threads;
  // Rounds of about one length.
  const int64_t rounds = (made.all_lines() + round - 1) / round;
  made.lines = made.together ? made.all_lines() : (made.all_lines() + rounds - 1) / rounds;
  return made;
}

class SeparableConvolution final : public Kernel {
 public:
  SeparableConvolution(KernelNeeds needs, const Sizes& sizes, const DepthwiseLines& first,
                       const gemm::Product& product, const gemm::InstructionSet& set,
                       EpilogueForm form)
      : Kernel(std::move(needs)),
        sizes_(sizes),
        first_(first),
        product_(product),
        set_(set),
        form_(form) {}

  Status run(const KernelArguments& arguments) const override {
    const int64_t whole = sizes_.all_lines();
    const int64_t panels = gemm::panel_count(sizes_.outputs, set_);
    if (sizes_.together) {
      const Part part = part_of(arguments, 0, whole, 0);
      parallel_for(
          whole, [&](int64_t line, int thread) { make_line(arguments, part, line, thread); },
          sizes_.threads);
      parallel_for(
          panels, [&](int64_t panel) { multiply(part, panel, panel + 1); }, sizes_.threads);
      return {};
    }
    const int64_t pieces = piece_count(whole, sizes_.lines, sizes_.threads);
    const auto work = [&](int64_t piece, int thread) {
      const int64_t end = whole * (piece + 1) / pieces;
      for (int64_t line = whole * piece / pieces; line < end; line += sizes_.lines) {
        const Part part = part_of(arguments, line, std::min(line + sizes_.lines, end), thread);
        for (int64_t i = part.begin; i < part.end; ++i) make_line(arguments, part, i, thread);
        multiply(part, 0, panels);
      }
    };
    parallel_for(pieces, work, sizes_.threads);
    return {};
  }

 private:
  // Some lines of the results, and room for what they are made of.
  struct Part {
    int64_t begin, end;
    float* room;
    float* result;
    const float* addend;
  };

  Part part_of(const KernelArguments& arguments, int64_t begin, int64_t end, int thread) const {
    const int64_t pixel = begin * sizes_.window.out_width;
    Part part{.begin = begin,
              .end = end,
              .room = elements<float>(arguments.scratch_of(sizes_.together ? 0 : thread)),
              .result = elements<float>(arguments.outputs[0]) + pixel * sizes_.out_pitch,
              .addend = nullptr};
    if (form_.addend)
      part.addend = elements<float>(static_cast<const uint8_t*>(arguments.inputs[*form_.addend])) +
                    pixel * sizes_.outputs;
    return part;
  }

  void make_line(const KernelArguments& arguments, const Part& part, int64_t line,
                 int thread) const {
    auto** const pointers = static_cast<const float**>(
        static_cast<void*>(arguments.scratch_of(thread) + sizes_.room_bytes()));
    first_.run(elements<float>(static_cast<const uint8_t*>(arguments.inputs[0])), line, pointers,
               part.room + (line - part.begin) * sizes_.window.out_width * sizes_.row_floats());
  }

  void multiply(const Part& part, int64_t panel_begin, int64_t panel_end) const {
    gemm::Product product = product_;
    product.a = part.room;
    product.c = part.result;
    product.epilogue.addend = part.addend;
    const int64_t rows = (part.end - part.begin) * sizes_.window.out_width;
    gemm::multiply(product, 0, rows, panel_begin, panel_end, set_);
    const int64_t first = panel_begin * set_.panel_columns;
    const int64_t last = std::min(panel_end * set_.panel_columns, sizes_.outputs);
    activate_rows(form_.activation, part.result + first, rows, last - first, sizes_.out_pitch);
  }

  Sizes sizes_;
  DepthwiseLines first_;
  gemm::Product product_;
  const gemm::InstructionSet& set_;
  EpilogueForm form_;
};

// What is done to the results of the depth-wise convolution.
std::optional<gemm::Epilogue> first_epilogue(const KernelRequest& request) {
  const Attributes& given = request.node.attributes;
  if (!given.has("activation")) return gemm::Epilogue{};
  return limits_of({.op = given.text("activation", ""),
                    .alpha = given.real("alpha", 0),
                    .beta = given.real("beta", 0)});
}

KernelResult make_separable(const KernelRequest& request) {
  const auto seen = image_window(request);
  const auto form = epilogue_of(request);
  const auto first_form = first_epilogue(request);
  CHECK(seen && form && first_form && request.constant(kFirstWeights) && request.constant(kWeights),
        "a pass fuses what this takes alone");
  ImageWindow window = *seen;
  window.outputs = window.channels;
  Sizes sizes = sizes_of(window, seen->outputs);
  sizes.out_pitch = request.output_pitch == 0 ? sizes.outputs : request.output_pitch;
  const gemm::InstructionSet& set = gemm::instruction_set();
  KernelNeeds needs{.outputs = {Layout::kChannelsLast}};
  needs.inputs.resize(request.node.inputs.size());
  needs.inputs[0] = Layout::kChannelsLast;
  needs.reads_pitched = request.input_pitch != 0;
  needs.writes_pitched = request.output_pitch != 0;
  if (form->addend) {
    needs.inputs[*form->addend] = Layout::kChannelsLast;
    if (window.channels <= gemm::kPassDepth) needs.may_overwrite = {*form->addend};
  }
  needs.scratch_bytes =
      sizes.room_bytes() + static_cast<uint64_t>(window.kernel_h) * sizeof(const float*);
  needs.scratch_of_each_thread = true;
  needs.implementation = formatted("separable {}", set.name);
  const DepthwiseLines first = TRY(DepthwiseLines::make(
      request.packer, window, *request.constant(kFirstWeights), request.constant(kFirstBias),
      *first_form, needs.reads_pitched ? request.input_pitch : window.channels,
      sizes.row_floats()));
  const ImageWindow pixel{.groups = 1,
                          .channels = window.channels,
                          .outputs = sizes.outputs,
                          .kernel_h = 1,
                          .kernel_w = 1};
  const float* const weights =
      TRY(pack_windows(request.packer, pixel, *request.constant(kWeights), set));
  gemm::Product product{.a_stride = sizes.row_floats(),
                        .depth = window.channels,
                        .b = weights,
                        .columns = sizes.outputs,
                        .c_stride = sizes.out_pitch,
                        .epilogue = form->epilogue};
  product.epilogue.addend_stride = sizes.outputs;
  if (request.node.input(kBias).present())
    product.epilogue.bias =
        elements<float>(TRY(request.packer.pack(*request.constant(kBias))).data());
  return std::make_unique<SeparableConvolution>(std::move(needs), sizes, first, product, set,
                                                *form);
}

}  // namespace

void register_separable_convolution(Registry& registry) {
  registry.add("casemate:SeparableConv", ElementType::kFloat32, Device::kCpu, make_separable);
}

}  // namespace casemate::engine
