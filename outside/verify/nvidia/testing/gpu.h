// SPDX-License-Identifier: Apache-2.0
#pragma once
// Gpu: a device that answers a request for measurements, for tests and fuzzing, with a chain of
// certificates of our own in the place of NVIDIA's. A test bends one part, before or after the
// signature.
//
//   Owns     its keys.
//   Threads  one.
//   Trust    test code: no shipped program may link this folder.
//   Fails    a failure of libcrypto stops the process.

#include "outside/verify/nvidia/nvidia.h"
#include "outside/verify/testing/issuer.h"

namespace casemate::verify::nvidia::testing {

inline constexpr int64_t kNow = 1'772'323'200;

class Gpu final {
 public:
  explicit Gpu(size_t blocks = Transcript::kBlocksOfGpu);

  // The transcript, its parts as they stand now, signed by the leaf's key.
  [[nodiscard]] std::vector<uint8_t> evidence() const;
  // The same without a signature.
  [[nodiscard]] std::vector<uint8_t> signed_bytes() const;
  [[nodiscard]] Collateral collateral() const;
  // Rules that know the root.
  [[nodiscard]] Rules rules() const;

  std::vector<SigningKey> keys;                                // the root's first
  std::vector<verify::testing::CertificateForm> certificates;  // the same
  std::vector<uint8_t> request;
  std::vector<uint8_t> response;  // up to the blocks' count
  std::vector<std::vector<uint8_t>> blocks;
  std::vector<uint8_t> device_nonce;
  std::vector<uint8_t> opaque;
};

std::vector<uint8_t> block_of(uint8_t index, Bytes value);
std::vector<uint8_t> opaque_field(uint16_t type, Bytes value);

}  // namespace casemate::verify::nvidia::testing
