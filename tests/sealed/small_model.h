// SPDX-License-Identifier: Apache-2.0
#pragma once
// An ONNX file of two tensors of 200,000 and 70,000 bytes, a small one, and a node; and random
// numbers that are the same each time.

#include <string>
#include <vector>

#include "base/clock.h"
#include "outside/seal/seal.h"

namespace casemate::tests {

// A protobuf field with a length.
std::string field(int number, const std::string& content);
std::string small_model();

// Package ids that differ and keys that do not: the worst that a generator of random numbers could
// do to us.
class SameKeys final : public Random {
 public:
  void fill(MutableBytes bytes) override {
    std::ranges::fill(bytes, bytes.size() == sizeof(SecretKey) ? 7 : ++count_);
  }

 private:
  uint8_t count_ = 0;
};

struct Made {
  std::vector<uint8_t> package;
  SecretKey key{};
  sealed::Package manifest;
};
Made seal_small(const seal::Order& order, const SigningKey& maker, Random& random);
seal::Order small_order();

// A folder that is gone afterwards.
class Folder final {
 public:
  explicit Folder(const std::string& where = "/tmp");
  ~Folder();
  Folder(const Folder&) = delete;
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace casemate::tests
