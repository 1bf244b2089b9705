// SPDX-License-Identifier: Apache-2.0
#pragma once
// Attestor: where the gateway gets evidence about itself and its models (wire/evidence).
//
//   Owns     nothing that a caller sees.
//   Threads  one, the loop's; `done` is called on it, now or later, once.
//   Trust    the answer is what the monitor signed; clients verify it, the gateway only passes it
//            on.
//   Fails    through `done`.

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/evidence/evidence.h"

namespace casemate::gateway {

class Attestor {
 public:
  using Done = std::function<void(Result<std::vector<uint8_t>>)>;
  // Evidence for the gateway and, unless the name is empty, for the model of that name and version
  // and all enclaves that it calls. With a nonce, which is proof_nonce()'s, its tokens are signed
  // anew; without one, evidence that others have been given will do.
  virtual void evidence(const std::optional<Nonce>& nonce, std::string_view model,
                        std::string_view version, Done done) = 0;

 protected:
  ~Attestor() = default;
};

}  // namespace casemate::gateway
