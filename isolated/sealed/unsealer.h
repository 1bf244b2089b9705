// SPDX-License-Identifier: Apache-2.0
#pragma once
// Unsealer: asks for the key of a sealed model and opens it.
//
//   make(file) ── request() ──▶ ... the key service ... ── WrappedKey ──▶ open() ──▶ ONNX file
//
//   Owns     a key pair for this one request. The private half is in this process alone and goes
//            with the unsealer; so does the package's key, with open().
//   Threads  one.
//   Trust    neither the file nor the answer: what is damaged, moved or of another package does not
//            open.
//   Fails    make() as Package::read(); open() with kDenied for an answer that is not for us,
//            kInvalid with the part that does not open.

#include <memory>

#include "base/mapping.h"
#include "wire/sealed/release.h"

struct evp_pkey_st;

namespace casemate::sealed {

class Unsealer final {
 public:
  // Requires: `file` outlives the unsealer.
  static Result<Unsealer> make(Bytes file);
  Unsealer(Unsealer&&) noexcept = default;

  // What is to be asked, but for the service's nonce.
  [[nodiscard]] KeyRequest request() const;
  // What open() takes at its peak: the file, and its graph once more.
  [[nodiscard]] uint64_t bytes_to_open() const {
    return package_.header.plain_bytes + package_.parts[0].bytes;
  }
  // The ONNX file, in memory that is this process's alone.
  Result<Mapping> open(const WrappedKey& answer) const;
  // The same with the key itself.
  Result<Mapping> open_with(const SecretKey& key) const;
  [[nodiscard]] const Package& package() const { return package_; }

 private:
  struct KeyFree {
    void operator()(evp_pkey_st* key) const;
  };
  Unsealer(Bytes file, Package package) : file_(file), package_(std::move(package)) {}
  Status unwrap(const WrappedKey& answer, SecretKey& key) const;
  Status open_part(uint32_t part, const SecretKey& key, MutableBytes plain) const;

  Bytes file_;
  Package package_;
  std::unique_ptr<evp_pkey_st, KeyFree> key_;
  std::vector<uint8_t> public_;  // SPKI DER
};

}  // namespace casemate::sealed
