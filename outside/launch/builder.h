// SPDX-License-Identifier: Apache-2.0
#pragma once
// Builder: the lists of a system description, filled entry by entry.
//
//   Owns     the description until it is taken.
//   Threads  one.
//   Trust    none is needed: the monitor checks and measures what comes out.
//   Fails    kTooLarge when a list is full or a path too long, with what to do.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/format.h"
#include "wire/abi/system.h"

namespace casemate::launch {

// A file, and where a jail's root has it.
struct Placed {
  std::string source;
  std::string target;
};

class Builder {
 public:
  Builder() : d_(std::make_unique<SystemDescription>()) {}

  template <class List, class Count>
  Result<std::reference_wrapper<typename List::value_type>> next(List& list, Count& count,
                                                                 std::string_view what) {
    if (count >= list.size()) {
      return Error{
          Code::kTooLarge,
          formatted("the system needs more than {} {}: serve fewer models, or from two systems",
                    list.size(), what)};
    }
    return std::ref(list[count++]);
  }
  Status place(ImageDescription& image, const Placed& file);
  // The index of a program of these files, the executable first.
  Result<uint32_t> add_program(const std::string& name, const std::vector<Placed>& files);
  // One of ours: /bin/casemate-NAME, with its loader and libraries where they are.
  Result<uint32_t> add_own_program(const std::string& name, const std::string& folder);

  [[nodiscard]] SystemDescription& description() { return *d_; }
  std::unique_ptr<SystemDescription> take() { return std::move(d_); }

 private:
  std::unique_ptr<SystemDescription> d_;
};

// `program` at `target`, its loader and its libraries where they are.
Result<std::vector<Placed>> placed_program(const std::string& program, const std::string& target);

// What the monitor measures of a program of these files: trusted/monitor/measured_system.cc.
Result<Sha384Digest> measurement_of(std::span<const Placed> files);

}  // namespace casemate::launch
