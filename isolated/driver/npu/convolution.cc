// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/npu/convolution.h"

#include <initializer_list>
#include <string_view>

#include "base/format.h"

namespace casemate::npu {
namespace {

// What device memory can hold at most in elements of 16 bytes bounds every size by itself; the
// products of sizes are bounded one factor at a time.
constexpr int64_t kSizeMax = 1 << 24;
constexpr int64_t kBytesMax = 4ll << 30;
constexpr int64_t kPadMax = 15;  // 4 bits of a load

Status check_size(int64_t size, std::string_view what) {
  if (size >= 1 && size <= kSizeMax) return {};
  return Error{Code::kInvalid,
               formatted("{} of {}; the accelerator takes 1 to {}", what, size, kSizeMax)};
}

Status check_axis(const Axis& axis, std::string_view name) {
  TRY(check_size(axis.size, formatted("a {}", name)));
  TRY(check_size(axis.kernel, formatted("a kernel's {}", name)));
  TRY(check_size(axis.stride, formatted("a stride along the {}", name)));
  TRY(check_size(axis.dilation, formatted("a dilation along the {}", name)));
  for (const int64_t pad : {axis.pad_before, axis.pad_after}) {
    if (pad < 0 || pad > kPadMax) {
      return Error{Code::kUnsupported,
                   formatted("a padding of {} along the {}; a load pads by up to "
                             "{}: pad the image before",
                             pad, name, kPadMax)};
    }
  }
  if (axis.window() > axis.size + axis.pad_before + axis.pad_after) {
    return Error{Code::kInvalid,
                 formatted("a kernel that spans {} along a {} of {} with its padding",
                           axis.window(), name, axis.size + axis.pad_before + axis.pad_after)};
  }
  return {};
}

Status check_bytes(std::initializer_list<int64_t> factors, std::string_view what) {
  int64_t bytes = 1;
  for (const int64_t factor : factors) {
    if (factor > kBytesMax / bytes) {
      return Error{Code::kTooLarge, formatted("{} of more than {} bytes; device memory has no more",
                                              what, kBytesMax)};
    }
    bytes *= factor;
  }
  return {};
}

}  // namespace

Status Convolution::check() const {
  TRY(check_size(batch, "a batch"));
  TRY(check_size(inputs, "a number of inputs"));
  TRY(check_size(outputs, "a number of outputs"));
  TRY(check_axis(height, "height"));
  TRY(check_axis(width, "width"));
  if (planes < 1 || planes > 3)
    return Error{Code::kInvalid, formatted("weights of {} bytes; 1 to 3 are possible", planes)};
  TRY(check_bytes({16, batch, input_blocks(), height.size, width.size}, "an image"));
  TRY(check_bytes({256, output_blocks(), input_blocks(), height.kernel, width.kernel, planes},
                  "weights"));
  return check_bytes({64, batch, output_blocks(), height.output(), width.output()}, "a result");
}

}  // namespace casemate::npu
