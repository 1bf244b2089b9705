// SPDX-License-Identifier: Apache-2.0
#pragma once
// given_end(): the end of a stream that a program was started with, as descriptors and a word on
// its command line: "3:64:1048576:1048576", the first of four descriptors, slots, and the bytes of
// bulk memory in and out.
//
//   Owns     the descriptors, from here on.
//   Threads  one.
//   Trust    whoever started the program.
//   Fails    kInvalid with the word, and for descriptors that are not there.

#include <string_view>

#include "base/result.h"
#include "wire/srpc/srpc.h"

namespace casemate::driver {

Result<srpc::StreamEnd> given_end(std::string_view word);

}  // namespace casemate::driver
