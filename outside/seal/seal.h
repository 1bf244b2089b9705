// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sealing: from an ONNX file to a package at its place and its key in the owner's store.
//
// In this order, each on disk before the next: the package beside its place; its key in the store;
// the package at its place; and only then earlier versions are closed. So a process that is killed
// anywhere leaves at the place what was there before or the new package, and either opens. It may
// leave a key that no package has, earlier versions open, and half a package beside the place,
// which servers pass over and the next sealing there removes.
//
//   Owns     nothing.
//   Threads  one.
//   Trust    the owner's own files on the owner's own machine.
//   Fails    as cut(), Store::add() and OutputFile; then what was at the place is there still. Once
//            the package is at its place, with what is left to do.

#include <string>

#include "outside/keys/store.h"
#include "wire/sealed/sealed.h"

namespace casemate::seal {

struct Order {
  std::string name;  // of the model
  uint32_t version = 0;
  std::string policy = "{}";                       // JSON, who may open it
  std::string policy_file = "the default policy";  // for errors
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

// Whether that model can be sealed so and the package put there: everything that can be asked
// before there is a store. `store` is where one is or would be made.
Status check(const std::string& onnx, const std::string& place, const Order& order,
             const std::string& store);

Result<Done> seal_model(const std::string& onnx, const std::string& place, const Order& order,
                        keys::Store& store, Clock& clock, Random& random);

// The manifest of the package in that file, whole and signed by the maker that it names.
Result<sealed::Package> read_package(const std::string& path);

}  // namespace casemate::seal
