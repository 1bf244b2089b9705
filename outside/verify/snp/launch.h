// SPDX-License-Identifier: Apache-2.0
#pragma once
// Launch: what the firmware measures while a guest is started, computed from what it is started
// with: an OVMF image, processors and the features of the guest, and a kernel with its files
// (SEV-SNP firmware ABI, AMD 56860, SNP_LAUNCH_UPDATE; pages as QEMU loads them).
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the image may be anybody's; every offset in it is checked.
//   Fails    kInvalid with what the image lacks; kUnsupported for a kernel that this image would
//            not measure.

#include <optional>
#include <string>

#include "outside/verify/snp/report.h"

namespace casemate::verify::snp {

// Hashes of what is loaded beside the image, as the image checks them.
struct MeasuredKernel {
  Sha256Digest kernel{};
  Sha256Digest initrd{};
  std::string command_line;
};

struct Launch {
  // CPUID's signature of the processor type EPYC-v4: family 23, model 1, stepping 2.
  static constexpr uint32_t kEpycV4 = 0x00800f12;
  static constexpr uint32_t kProcessorsMax = 1024;

  uint32_t processors = 1;
  uint64_t guest_features = 1;
  uint32_t processor_signature = kEpycV4;
  std::optional<MeasuredKernel> kernel;
};

// The digest behind the image's own pages, which are loaded to end at 4 GiB.
Sha384Digest image_digest(Bytes image);
Result<Sha384Digest> launch_digest(Bytes image, const Launch& launch);

}  // namespace casemate::verify::snp
