// SPDX-License-Identifier: Apache-2.0
#pragma once
// How OpenCL's functions answer: an Out is the place for a value that a program wants to know, and
// made() that for a status beside an object.

#include <CL/cl.h>

#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace casemate::opencl {

struct Out {
  size_t room = 0;
  void* value = nullptr;
  size_t* size = nullptr;

  [[nodiscard]] cl_int bytes(Bytes answer) const {
    if (size != nullptr) *size = answer.size();
    if (value == nullptr) return CL_SUCCESS;
    if (room < answer.size()) return CL_INVALID_VALUE;
    std::ranges::copy(answer, static_cast<uint8_t*>(value));
    return CL_SUCCESS;
  }
  template <class T>
  [[nodiscard]] cl_int plain(const T& answer) const {
    return bytes(bytes_of(answer));
  }
  // With the NUL that OpenCL's texts end with.
  [[nodiscard]] cl_int text(const char* answer) const {
    return bytes(bytes_of(std::string_view(answer, std::string_view(answer).size() + 1)));
  }
};

// `object`, with the status where the program wants it.
template <class T>
T made(T object, cl_int status, cl_int* wanted) {
  if (wanted != nullptr) *wanted = status;
  return object;
}

}  // namespace casemate::opencl
