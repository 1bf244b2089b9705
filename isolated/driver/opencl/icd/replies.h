// SPDX-License-Identifier: Apache-2.0
#pragma once
// Replies: what the device's partition may answer to each call, and to each question. OpenCL gives
// every answer a type, and programs take it for granted: a number has its size and a text its NUL.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    none: the device's partition may answer with any bytes. What passes here has the shape
//            that was asked for; what it says is still the device's word.
//   Fails    with nothing, or false, for what is no answer to that call.

#include <CL/cl.h>

#include <optional>

#include "isolated/driver/opencl/protocol/protocol.h"

namespace casemate::opencl {

// What a call's reply may hold.
struct Awaited {
  bool early = false;     // kNotYet, too
  size_t inline_max = 0;  // bytes behind the outcome; 0: the call has no value
  uint64_t room = 0;      // of the region that a longer value goes to
};
template <class T>
Awaited awaited(const T& call) {
  if constexpr (std::is_same_v<T, QueryCall>) return {false, kInlineAnswer, call.out.size};
  if constexpr (std::is_same_v<T, CreateKernel>) return {false, kArgumentsMax, 0};
  if constexpr (std::is_same_v<T, Wait>) return {call.bounded != 0, 0, 0};
  return {};
}

// What a reply says. `size` is that of the value: `inside` holds it, or the region, or, with
// CL_OUT_OF_HOST_MEMORY, it is the room that the value needs.
struct Said {
  cl_int status = CL_SUCCESS;
  uint64_t size = 0;
  Bytes inside;
};
// Nothing: no reply that such a call can have. Requires: `reply` outlives what is returned.
std::optional<Said> said(const srpc::Reply& reply, const Awaited& awaited);

// The type of a query's answer.
struct Form {
  enum class Kind : uint8_t {
    kNone,   // no such query
    kPlain,  // exactly `size` bytes: a number, or a few in a row
    kText,   // ends with its only NUL
    kList,   // `least` to `most` elements of `size` bytes
    kBytes,  // what only the device understands
  };
  Kind kind = Kind::kNone;
  uint32_t size = 0;
  uint32_t least = 0;
  uint32_t most = 0;
};
Form form_of(Query query, cl_uint parameter);
bool fits(Bytes answer, const Form& form);

// What CreateKernel is answered with: a known kind for each argument.
bool argument_kinds(Bytes answer);

}  // namespace casemate::opencl
