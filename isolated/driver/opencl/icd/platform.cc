// SPDX-License-Identifier: Apache-2.0
// The platform, its device and contexts. The device is what the real one says, but for what this
// driver does not carry: versions beyond 1.2, and extensions that are more than kernel language.
#include <algorithm>
#include <ranges>
#include <string>

#include "isolated/driver/opencl/icd/answers.h"
#include "isolated/driver/opencl/icd/api.h"
#include "isolated/driver/opencl/icd/driver.h"

namespace casemate::opencl {
namespace {

constexpr std::string_view kExtensions[] = {
    "cl_khr_byte_addressable_store",
    "cl_khr_global_int32_base_atomics",
    "cl_khr_global_int32_extended_atomics",
    "cl_khr_local_int32_base_atomics",
    "cl_khr_local_int32_extended_atomics",
    "cl_khr_int64_base_atomics",
    "cl_khr_int64_extended_atomics",
    "cl_khr_3d_image_writes",
    "cl_khr_fp16",
    "cl_khr_fp64",
};

std::string carried(std::string_view offered) {
  std::string all;
  for (const auto word : std::views::split(offered, ' ')) {
    const std::string_view name(word.begin(), word.end());
    if (std::ranges::find(kExtensions, name) == std::end(kExtensions)) continue;
    if (!all.empty()) all += ' ';
    all += name;
  }
  return all;
}

cl_int device_text(Driver& driver, cl_device_info parameter, const Out& out) {
  std::vector<uint8_t> value;
  const cl_int status = driver.device_value(parameter, value);
  if (status != CL_SUCCESS) return status;
  std::string text(text_of(value));
  text = text.c_str();
  if (parameter == CL_DEVICE_EXTENSIONS) text = carried(text);
  if (parameter == CL_DEVICE_VERSION) text = "OpenCL 1.2 Casemate: " + text;
  if (parameter == CL_DEVICE_OPENCL_C_VERSION) text = "OpenCL C 1.2 ";
  return out.text(text.c_str());
}

bool properties_sound(const cl_context_properties* properties, cl_platform_id platform) {
  for (; properties != nullptr && properties[0] != 0; properties += 2) {
    if (properties[0] == CL_CONTEXT_INTEROP_USER_SYNC) continue;
    const cl_context_properties wanted = std::bit_cast<cl_context_properties>(platform);
    if (properties[0] != CL_CONTEXT_PLATFORM || properties[1] != wanted) return false;
  }
  return true;
}

}  // namespace

cl_int api::clGetPlatformIDs(cl_uint room, cl_platform_id* platforms, cl_uint* count) {
  if ((platforms != nullptr && room == 0) || (platforms == nullptr && count == nullptr))
    return CL_INVALID_VALUE;
  Driver* driver = Driver::instance();
  if (count != nullptr) *count = driver == nullptr ? 0 : 1;
  if (driver == nullptr) return CL_PLATFORM_NOT_FOUND_KHR;
  if (platforms != nullptr) platforms[0] = driver->platform();
  return CL_SUCCESS;
}

cl_int api::clGetPlatformInfo(cl_platform_id, cl_platform_info parameter, size_t room, void* value,
                              size_t* size) {
  const Out out{room, value, size};
  switch (parameter) {
    case CL_PLATFORM_PROFILE:
      return out.text("FULL_PROFILE");
    case CL_PLATFORM_VERSION:
      return out.text("OpenCL 1.2 Casemate");
    case CL_PLATFORM_NAME:
    case CL_PLATFORM_VENDOR:
      return out.text("Casemate");
    case CL_PLATFORM_EXTENSIONS:
      return out.text("cl_khr_icd");
    case CL_PLATFORM_ICD_SUFFIX_KHR:
      return out.text("CASEMATE");
    default:
      return CL_INVALID_VALUE;
  }
}

cl_int api::clGetDeviceIDs(cl_platform_id, cl_device_type type, cl_uint room, cl_device_id* devices,
                           cl_uint* count) {
  if ((devices != nullptr && room == 0) || (devices == nullptr && count == nullptr))
    return CL_INVALID_VALUE;
  Driver* driver = Driver::instance();
  if (driver == nullptr) return CL_INVALID_PLATFORM;
  const auto kind = driver->device_number<cl_device_type>(CL_DEVICE_TYPE);
  if (type == 0) return CL_INVALID_DEVICE_TYPE;
  if ((type & (kind | CL_DEVICE_TYPE_DEFAULT)) == 0) {
    if (count != nullptr) *count = 0;
    return CL_DEVICE_NOT_FOUND;
  }
  if (count != nullptr) *count = 1;
  if (devices != nullptr) devices[0] = driver->device();
  return CL_SUCCESS;
}

cl_int api::clGetDeviceInfo(cl_device_id device, cl_device_info parameter, size_t room, void* value,
                            size_t* size) {
  Driver* driver = Driver::instance();
  if (driver == nullptr || device != driver->device()) return CL_INVALID_DEVICE;
  const Out out{room, value, size};
  switch (parameter) {
    case CL_DEVICE_PLATFORM:
      return out.plain(driver->platform());
    case CL_DEVICE_PARENT_DEVICE:
      return out.plain(cl_device_id{});
    case CL_DEVICE_REFERENCE_COUNT:
      return out.plain(cl_uint{1});
    case CL_DEVICE_PARTITION_MAX_SUB_DEVICES:
      return out.plain(cl_uint{0});
    case CL_DEVICE_PARTITION_PROPERTIES:
    case CL_DEVICE_PARTITION_TYPE:
      return out.plain(cl_device_partition_property{0});
    case CL_DEVICE_PARTITION_AFFINITY_DOMAIN:
      return out.plain(cl_device_affinity_domain{0});
    case CL_DEVICE_HOST_UNIFIED_MEMORY:
      return out.plain(cl_bool{CL_FALSE});
    case CL_DEVICE_EXECUTION_CAPABILITIES:
      return out.plain(cl_device_exec_capabilities{CL_EXEC_KERNEL});
    case CL_DEVICE_QUEUE_PROPERTIES:
      return out.plain(driver->device_number<cl_command_queue_properties>(parameter) & 3);
    case CL_DEVICE_VERSION:
    case CL_DEVICE_EXTENSIONS:
    case CL_DEVICE_OPENCL_C_VERSION:
      return device_text(*driver, parameter, out);
    default:
      break;
  }
  std::vector<uint8_t> answer;
  const cl_int status = driver->device_value(parameter, answer);
  return status == CL_SUCCESS ? out.bytes(answer) : status;
}

cl_int api::clCreateSubDevices(cl_device_id, const cl_device_partition_property*, cl_uint,
                               cl_device_id*, cl_uint*) {
  return CL_DEVICE_PARTITION_FAILED;
}
cl_int api::clRetainDevice(cl_device_id) { return CL_SUCCESS; }
cl_int api::clReleaseDevice(cl_device_id) { return CL_SUCCESS; }

cl_context api::clCreateContext(const cl_context_properties* properties, cl_uint count,
                                const cl_device_id* devices,
                                void(CL_CALLBACK* notify)(const char*, const void*, size_t, void*),
                                void* data, cl_int* status) {
  Driver* driver = Driver::instance();
  if (driver == nullptr) return made(cl_context{}, CL_DEVICE_NOT_AVAILABLE, status);
  if (count == 0 || devices == nullptr || (notify == nullptr && data != nullptr))
    return made(cl_context{}, CL_INVALID_VALUE, status);
  for (cl_uint i = 0; i < count; ++i)
    if (devices[i] != driver->device()) return made(cl_context{}, CL_INVALID_DEVICE, status);
  if (!properties_sound(properties, driver->platform()))
    return made(cl_context{}, CL_INVALID_PLATFORM, status);
  auto context = std::make_unique<_cl_context>();
  context->mark = _cl_context::kMark;
  context->id = driver->number();
  for (; properties != nullptr && properties[0] != 0; properties += 2)
    context->properties.insert(context->properties.end(), properties, properties + 2);
  if (!context->properties.empty()) context->properties.push_back(0);
  CreateContext call;
  call.id = context->id;
  const cl_int posted = driver->post(call);
  return made(posted == CL_SUCCESS ? context.release() : nullptr, posted, status);
}

cl_context api::clCreateContextFromType(const cl_context_properties* properties,
                                        cl_device_type type,
                                        void(CL_CALLBACK* notify)(const char*, const void*, size_t,
                                                                  void*),
                                        void* data, cl_int* status) {
  cl_device_id device = nullptr;
  const cl_int found = api::clGetDeviceIDs(nullptr, type, 1, &device, nullptr);
  if (found != CL_SUCCESS) return made(cl_context{}, found, status);
  return api::clCreateContext(properties, 1, &device, notify, data, status);
}

cl_int api::clRetainContext(cl_context context) { return retain(context, CL_INVALID_CONTEXT); }
cl_int api::clReleaseContext(cl_context context) { return release(context, CL_INVALID_CONTEXT); }

cl_int api::clGetContextInfo(cl_context context, cl_context_info parameter, size_t room,
                             void* value, size_t* size) {
  if (!valid(context)) return CL_INVALID_CONTEXT;
  const Out out{room, value, size};
  switch (parameter) {
    case CL_CONTEXT_REFERENCE_COUNT:
      return out.plain(context->references.load());
    case CL_CONTEXT_NUM_DEVICES:
      return out.plain(cl_uint{1});
    case CL_CONTEXT_DEVICES:
      return out.plain(Driver::instance()->device());
    case CL_CONTEXT_PROPERTIES: {
      Bytes all;
      if (!context->properties.empty())
        all = {static_cast<const uint8_t*>(static_cast<const void*>(context->properties.data())),
               context->properties.size() * sizeof(cl_context_properties)};
      return out.bytes(all);
    }
    default:
      return CL_INVALID_VALUE;
  }
}

cl_int api::clUnloadCompiler() { return CL_SUCCESS; }
cl_int api::clUnloadPlatformCompiler(cl_platform_id) { return CL_SUCCESS; }
void* api::clGetExtensionFunctionAddress(const char*) { return nullptr; }
void* api::clGetExtensionFunctionAddressForPlatform(cl_platform_id, const char*) { return nullptr; }

}  // namespace casemate::opencl
