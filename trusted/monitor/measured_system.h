// SPDX-License-Identifier: Apache-2.0
#pragma once
// MeasuredSystem: the system description with everything it names copied, hashed and laid out as
// roots of jails.
//
//   Owns     the image store and the roots.
//   Threads  one.
//   Trust    the description is checked here; what it names is measured, not believed.
//   Fails    with the entry and path that is wrong; then nothing starts.

#include <memory>
#include <string>
#include <vector>

#include "trusted/attest/voucher.h"
#include "trusted/jail/image_store.h"
#include "wire/abi/system.h"

namespace casemate::monitor {

class MeasuredSystem final {
 public:
  static Result<MeasuredSystem> make(const allow::Spawn& power,
                                     std::unique_ptr<SystemDescription> description,
                                     jail::ImageStore store);

  [[nodiscard]] const SystemDescription& description() const { return *description_; }
  // Roots of the mOS of each partition and of each enclave, in the description's order.
  [[nodiscard]] const std::string& partition_root(size_t i) const { return partition_roots_[i]; }
  [[nodiscard]] const std::string& enclave_root(size_t i) const { return enclave_roots_[i]; }
  // The program to execute in those roots.
  [[nodiscard]] std::string program_path(uint32_t program) const;
  [[nodiscard]] const attest::Measured& measured(size_t enclave) const {
    return measured_[enclave];
  }

 private:
  MeasuredSystem(std::unique_ptr<SystemDescription> description, jail::ImageStore store)
      : description_(std::move(description)), store_(std::move(store)) {}
  Status measure_programs();
  Status lay_out_roots();
  Status measure_enclave(size_t index);
  [[nodiscard]] Sha384Digest manifest_of(size_t enclave) const;
  void measure_peers(size_t enclave);

  std::unique_ptr<SystemDescription> description_;
  jail::ImageStore store_;
  std::vector<jail::ImageStore::Image> images_;
  std::vector<jail::ImageStore::Image> files_;
  std::vector<Sha384Digest> programs_;
  std::vector<std::string> partition_roots_;
  std::vector<std::string> enclave_roots_;
  std::vector<attest::Measured> measured_;
};

}  // namespace casemate::monitor
