// SPDX-License-Identifier: Apache-2.0
#pragma once
// ForeignProgram: runs one program that knows nothing of us, in the instance's jail.
//
//   Owns     the launcher's socket (descriptor 4) and what came with its order.
//   Threads  one.
//   Trust    the launcher is the program's own user. The program may do what it likes: it shares
//            this jail and has no more rights than this process, which holds nothing of others.
//   Fails    what cannot be started is reported to the launcher with its errno.

#include <array>

#include "isolated/enclave/enclave.h"
#include "wire/abi/program.h"

namespace casemate::program {

class ForeignProgram final : public enclave::Program {
 public:
  Status start(const control::Message& manifest) override;
  Status run(control::Socket control, const control::Message& manifest) override;

 private:
  // Waits for both, in any order. False when the system stops first.
  Result<bool> take_order_and_stream(const control::Socket& control);
  Status take_order();
  Status run_to_its_end(const control::Socket& control);

  Fd launcher_;
  Order order_;
  std::array<Fd, Order::kFds> given_;  // standard input, output and error; the report's socket
  Fd stream_;                          // what the program's driver reads the stream's end from
};

}  // namespace casemate::program
