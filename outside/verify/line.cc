// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/line.h"

#include "base/format.h"
#include "base/log.h"

namespace casemate::verify {
namespace {

class LineReader final {
 public:
  explicit LineReader(std::span<const EnclaveToken> tokens)
      : tokens_(tokens), callers_(tokens.size(), 0) {}

  Result<std::vector<size_t>> read() && {
    size_t at = 1;
    while (at < tokens_.size()) at = TRY(skip(at));
    return std::move(callers_);
  }

 private:
  // The place behind the token at `at` and all that belongs to it. No deeper than there are tokens.
  Result<size_t> skip(size_t at) {
    const EnclaveToken& leader = tokens_[at];
    PeersMeasurement peers;
    size_t next = at + 1;
    for (uint32_t i = 0; i < leader.peer_count; ++i) {
      if (next == tokens_.size()) {
        return Error{Code::kInvalid, formatted("{} calls {} enclaves, and there are tokens of {}",
                                               name_of(leader), leader.peer_count, i)};
      }
      callers_[next] = at;
      peers.add(tokens_[next]);
      next = TRY(skip(next));
    }
    if (peers.finish() != leader.peers_measurement) {
      return Error{Code::kInvalid,
                   formatted("the {} enclaves behind {} are not those that it calls, or stand in "
                             "another order",
                             leader.peer_count, name_of(leader))};
    }
    return next;
  }
  static std::string name_of(const EnclaveToken& token) {
    return formatted("model {}", printable(token.name.view(), 64));
  }

  std::span<const EnclaveToken> tokens_;
  std::vector<size_t> callers_;
};

}  // namespace

Result<std::vector<size_t>> callers_of(std::span<const EnclaveToken> tokens) {
  return LineReader(tokens).read();
}

}  // namespace casemate::verify
