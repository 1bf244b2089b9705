// SPDX-License-Identifier: Apache-2.0
#pragma once
// Answer: what a vendor's service sent, held against what was asked for, before any of it reaches
// the folder. Who signed it is not looked at here: that is for whoever uses it.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    body and headers may be hostile in every byte.
//   Fails    kInvalid with what came instead.

#include <string>
#include <string_view>
#include <vector>

#include "outside/fetch/what_to_fetch.h"

namespace casemate::fetch {

// One file for the folder.
struct Kept {
  std::string file;
  std::string what;
  std::vector<uint8_t> content;
};

// The answer to `wanted`, and behind it the certificates that came in its headers, if any were to.
// `headers` are the lines of one or more answers, of which the last counts. A revocation list may
// come in DER, in PEM or as a cache has it, as hexadecimal digits of DER.
Result<std::vector<Kept>> judge_answer(const Wanted& wanted, Bytes body, std::string_view headers);

}  // namespace casemate::fetch
