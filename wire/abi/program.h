// SPDX-License-Identifier: Apache-2.0
#pragma once
// Program: what `casemate run` and the enclave of an unmodified program say to each other, on the
// socket that an instance is born with: one datagram in each direction. The order comes with four
// descriptors: standard input, output and error, and the socket that its end is reported on.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the order is the user's own. A report comes from an enclave that may be hostile: it is
//            three numbers.
//   Fails    kTooLarge for an order that fits no datagram, kInvalid for one that is none.

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace casemate::program {

struct Order {
  static constexpr size_t kFds = 4;
  static constexpr size_t kBytesMax = 64 << 10;  // a datagram, below the kernel's 208 KiB

  std::string path;                      // of the program, in its root
  std::vector<std::string> words;        // its arguments, its name first
  std::vector<std::string> environment;  // NAME=VALUE
};

Result<std::vector<uint8_t>> encode(const Order& order);
Result<Order> decode(Bytes bytes);

enum class Ending : uint32_t {
  kExited = 1,
  kKilled = 2,
  kNotStarted = 3,  // execve refused it
  kNoDevice = 4,    // there will be no stream to it
};

struct Report {
  uint32_t ending = 0;       // Ending
  uint32_t value = 0;        // exit code, signal, errno, 0
  uint32_t device_lost = 0;  // 1: its partition failed meanwhile
};

}  // namespace casemate::program
