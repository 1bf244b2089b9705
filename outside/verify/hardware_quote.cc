// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/hardware_quote.h"

#include <algorithm>

#include "base/format.h"

namespace casemate::verify {
namespace {

Status check_head(const HardwareQuote& head) {
  if (head.version != HardwareQuote::kVersion)
    return Error{Code::kUnsupported,
                 formatted("the hardware quote has version {}, and this build reads {}",
                           head.version, HardwareQuote::kVersion)};
  if (head.root != static_cast<uint32_t>(RootKind::kTsm) &&
      head.root != static_cast<uint32_t>(RootKind::kGramine) &&
      head.root != static_cast<uint32_t>(RootKind::kSoftware))
    return Error{Code::kUnsupported,
                 formatted("the hardware quote is of root {}, which has none", head.root)};
  const std::string_view provider = head.provider.view();
  if (provider.empty() || !head.provider.canonical() ||
      !std::ranges::all_of(provider, [](char c) { return c > ' ' && c < 127; }))
    return Error{Code::kInvalid, "the hardware quote's provider is no word"};
  if (head.reserved != 0)
    return Error{Code::kInvalid, "the hardware quote's reserved field is not zero"};
  if (head.report_size == 0) return Error{Code::kInvalid, "the hardware quote holds no report"};
  return {};
}

}  // namespace

bool hardware_quote(Bytes bytes) {
  return bytes.size() >= sizeof(uint64_t) && load<uint64_t>(bytes) == HardwareQuote::kMagic;
}

Result<HardwareBlobs> read_hardware_quote(Bytes bytes) {
  if (!hardware_quote(bytes) || bytes.size() < sizeof(HardwareQuote))
    return Error{Code::kInvalid, "the bytes do not start with a hardware quote's head"};
  const auto head = load<HardwareQuote>(bytes);
  TRY(check_head(head));
  const Bytes blobs = bytes.subspan(sizeof head);
  // Three sizes of 32 bits do not overflow 64.
  const uint64_t size = uint64_t{head.report_size} + head.auxiliary_size + head.manifest_size;
  if (size != blobs.size())
    return Error{Code::kInvalid, formatted("the hardware quote announces {} bytes, and {} follow",
                                           size, blobs.size())};
  return HardwareBlobs{static_cast<RootKind>(head.root), std::string(head.provider.view()),
                       blobs.first(head.report_size),
                       blobs.subspan(head.report_size, head.auxiliary_size),
                       blobs.subspan(size_t{head.report_size} + head.auxiliary_size)};
}

}  // namespace casemate::verify
