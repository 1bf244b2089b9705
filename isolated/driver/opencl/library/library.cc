// SPDX-License-Identifier: Apache-2.0
// What an OpenCL loader asks a driver's shared object for by name; all else it calls through the
// table that each handle begins with.
#include <string_view>

#include "isolated/driver/opencl/icd/api.h"

namespace api = casemate::opencl::api;

extern "C" {

cl_int clIcdGetPlatformIDsKHR(cl_uint room, cl_platform_id* platforms, cl_uint* count) {
  return api::clGetPlatformIDs(room, platforms, count);
}

cl_int clGetPlatformInfo(cl_platform_id platform, cl_platform_info parameter, size_t room,
                         void* value, size_t* size) {
  return api::clGetPlatformInfo(platform, parameter, room, value, size);
}

void* clGetExtensionFunctionAddress(const char* name) {
  using namespace std::string_view_literals;
  if (name == "clIcdGetPlatformIDsKHR"sv) return (void*)clIcdGetPlatformIDsKHR;
  if (name == "clGetPlatformInfo"sv) return (void*)clGetPlatformInfo;
  return nullptr;
}
}
