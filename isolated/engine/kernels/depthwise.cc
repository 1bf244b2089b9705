// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/depthwise.h"

#include <algorithm>
#include <cstring>

#include "isolated/engine/kernels/epilogue.h"
#include "isolated/engine/kernels/image.h"
#include "isolated/engine/kernels/loop_kernel.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

// Lines that are worth a piece of their own.
constexpr int64_t kPieceLines = 4;

class DepthwiseConvolution final : public Kernel {
 public:
  DepthwiseConvolution(KernelNeeds needs, const ImageWindow& window, const DepthwiseLines& lines)
      : Kernel(std::move(needs)), window_(window), lines_(lines), threads_(thread_count()) {}

  Status run(const KernelArguments& arguments) const override {
    const auto* const source = elements<float>(static_cast<const uint8_t*>(arguments.inputs[0]));
    auto* const result = elements<float>(arguments.outputs[0]);
    const int64_t whole = window_.batch * window_.out_height;
    const int64_t pieces = piece_count(whole, kPieceLines, threads_);
    const auto work = [&](int64_t piece, int thread) {
      auto** const lines =
          static_cast<const float**>(static_cast<void*>(arguments.scratch_of(thread)));
      for (int64_t i = whole * piece / pieces; i < whole * (piece + 1) / pieces; ++i)
        lines_.run(source, i, lines, result + i * window_.out_width * window_.channels);
    };
    parallel_for(pieces, work, threads_);
    return {};
  }

 private:
  ImageWindow window_;
  DepthwiseLines lines_;
  int threads_;
};

// The weights [C,1,KH,KW] as [KH,KW,C].
Result<const float*> pack_weights(Packer& packer, const ImageWindow& window,
                                  const Tensor& weights) {
  const int64_t area = window.kernel_h * window.kernel_w;
  const int64_t channels = window.channels;
  const auto turn = [=](const uint8_t* from, float* to, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j)
        std::memcpy(to + j * rows + i, from + (i * columns + j) * 4, sizeof(float));
    }
  };
  const auto fill = [&](MutableBytes bytes) -> Status {
    turn(weights.loose_bytes().data(), elements<float>(bytes.data()), channels, area);
    return {};
  };
  const auto unpack = [=](Bytes packed) {
    std::string plain(packed.size(), '\0');
    turn(packed.data(), elements<float>(static_cast<uint8_t*>(static_cast<void*>(plain.data()))),
         area, channels);
    return plain;
  };
  const Bytes packed = TRY(packer.pack(weights, "depth-wise", weights.byte_count(), fill, unpack));
  return elements<float>(packed.data());
}

bool takes(const KernelRequest& request, const ImageWindow& window, const EpilogueForm& form) {
  const bool constants = request.constant(1) != nullptr &&
                         (!request.node.input(2).present() || request.constant(2) != nullptr);
  return constants && window.groups == window.channels && window.outputs == window.channels &&
         !form.addend && form.activation == Activate::kNone;
}

}  // namespace

Result<DepthwiseLines> DepthwiseLines::make(Packer& packer, const ImageWindow& window,
                                            const Tensor& weights, const Tensor* bias,
                                            const gemm::Epilogue& epilogue, int64_t in_step,
                                            int64_t out_step) {
  DepthwiseLines made;
  made.window_ = window;
  made.line_ = {.weights = TRY(pack_weights(packer, window, weights)),
                .in_step = in_step,
                .out_step = out_step,
                .channels = window.channels,
                .width = window.width,
                .out_width = window.out_width,
                .kernel_h = window.kernel_h,
                .kernel_w = window.kernel_w,
                .stride = window.stride_w,
                .dilation = window.dilation_w,
                .pad_left = window.pad_left,
                .clamped = epilogue.clamped,
                .low = epilogue.low,
                .high = epilogue.high,
                .leaky = epilogue.leaky,
                .slope = epilogue.slope};
  DepthwiseLine& line = made.line_;
  if (bias != nullptr) line.bias = elements<float>(TRY(packer.pack(*bias)).data());
  // The first column whose window begins inside, and that behind the last whose window ends there.
  const int64_t reach = (line.kernel_w - 1) * line.dilation + 1;
  const int64_t last = line.width + line.pad_left - reach;
  line.inner_begin = std::min((line.pad_left + line.stride - 1) / line.stride, line.out_width);
  line.inner_end = last < 0 ? line.inner_begin
                            : std::clamp(last / line.stride + 1, line.inner_begin, line.out_width);
  return made;
}

void DepthwiseLines::run(const float* source, int64_t index, const float** lines,
                         float* out) const {
  const int64_t line_floats = window_.width * line_.in_step;
  const int64_t top = index % window_.out_height * window_.stride_h - window_.pad_top;
  const float* const image = source + index / window_.out_height * window_.height * line_floats;
  for (int64_t h = 0; h < window_.kernel_h; ++h) {
    const int64_t at = top + h * window_.dilation_h;
    lines[h] = at < 0 || at >= window_.height ? nullptr : image + at * line_floats;
  }
  DepthwiseLine line = line_;
  line.lines = lines;
  line.out = out;
  vector_loops().depthwise_line(line);
}

Result<std::unique_ptr<Kernel>> make_depthwise_convolution(const KernelRequest& request) {
  const auto window = image_window(request);
  const auto form = epilogue_of(request);
  if (!window || !form || !takes(request, *window, *form)) return nullptr;
  KernelNeeds needs{.outputs = {Layout::kChannelsLast}};
  needs.inputs.resize(request.node.inputs.size());
  needs.inputs[0] = Layout::kChannelsLast;
  needs.scratch_bytes = static_cast<uint64_t>(window->kernel_h) * sizeof(const float*);
  needs.scratch_of_each_thread = true;
  needs.reads_pitched = request.input_pitch != 0;
  needs.implementation = std::string(vector_loops().name) + " depth-wise";
  const DepthwiseLines lines = TRY(DepthwiseLines::make(
      request.packer, *window, *request.constant(1), request.constant(2), form->epilogue,
      needs.reads_pitched ? request.input_pitch : window->channels, window->channels));
  return std::make_unique<DepthwiseConvolution>(std::move(needs), *window, lines);
}

}  // namespace casemate::engine
