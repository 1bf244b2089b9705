// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sealing: from an ONNX file to a package at its place and its key in the owner's store.
//
// In this order: the package beside its place, on disk; its key in the store, on disk; the package
// at its place. A process that is killed anywhere leaves what was there before, or the new package
// with its key, and perhaps a key that no package has.
//
//   Owns     nothing.
//   Threads  one.
//   Trust    the owner's own files on the owner's own machine.
//   Fails    as cut(), Store::add() and OutputFile; then nothing is at the place.

#include <string>

#include "outside/keys/store.h"
#include "wire/sealed/sealed.h"

namespace casemate::seal {

struct Order {
  std::string name;  // of the model
  uint32_t version = 0;
  std::string policy = "{}";  // JSON, who may open it
  uint32_t chunk_bytes = 256 << 10;
  bool keep_older = false;  // earlier versions may still be opened
};

struct Done {
  keys::Record record;
  uint64_t bytes = 0;  // of the package
  size_t tensors = 0;  // beside the graph
};

// The package with what hides it, a piece at a time.
class Sealer final {
 public:
  // Requires: `onnx` outlives the sealer.
  static Result<Sealer> make(Bytes onnx, const Order& order, const SigningKey& maker, Clock& clock,
                             Random& random);
  ~Sealer();
  Sealer(Sealer&&) noexcept = default;

  [[nodiscard]] const sealed::Package& package() const { return package_; }
  [[nodiscard]] const SecretKey& key() const { return key_; }
  [[nodiscard]] uint64_t bytes() const;
  template <class Sink>
  Status write(Sink sink) const {
    TRY(sink(Bytes(head_)));
    for (uint32_t part = 0; part < package_.parts.size(); ++part) {
      for (uint64_t chunk = 0; chunk < package_.chunks_of(part); ++chunk)
        TRY(sink(Bytes(hidden(part, chunk))));
    }
    return {};
  }

 private:
  Sealer() = default;
  // A chunk and its tag.
  [[nodiscard]] std::vector<uint8_t> hidden(uint32_t part, uint64_t chunk) const;

  Bytes onnx_;
  std::vector<uint8_t> graph_;
  std::vector<uint8_t> head_;  // manifest and signature
  sealed::Package package_;
  SecretKey key_{};
};

Result<Done> seal_model(const std::string& onnx, const std::string& place, const Order& order,
                        keys::Store& store, Clock& clock, Random& random);

}  // namespace casemate::seal
