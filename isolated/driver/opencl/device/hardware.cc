// SPDX-License-Identifier: Apache-2.0
#include "isolated/driver/opencl/device/hardware.h"

#include <clblast.h>

#include <algorithm>

#include "base/format.h"
#include "isolated/driver/opencl/device/launches.h"

namespace casemate::driver {
namespace {

constexpr size_t kPlatformsMax = 16;

template <class T>
Result<T> device_number(cl_device_id device, cl_device_info what) {
  T value{};
  TRY(opencl_did("asking a device for its limits",
                 clGetDeviceInfo(device, what, sizeof value, &value, nullptr)));
  return value;
}

std::vector<cl_device_id> all_devices() {
  std::vector<cl_device_id> all;
  std::array<cl_platform_id, kPlatformsMax> platforms{};
  cl_uint platform_count = 0;
  if (clGetPlatformIDs(platforms.size(), platforms.data(), &platform_count) != CL_SUCCESS)
    return all;
  for (cl_uint p = 0; p < std::min<cl_uint>(platform_count, platforms.size()); ++p) {
    std::array<cl_device_id, kPlatformsMax> devices{};
    cl_uint count = 0;
    if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, devices.size(), devices.data(), &count) !=
        CL_SUCCESS)
      continue;
    all.insert(all.end(), devices.begin(),
               devices.begin() + std::min<cl_uint>(count, devices.size()));
  }
  return all;
}

// CLBlast's own choice for processors keeps tiles in local memory and waits for it: a twentieth of
// what these reach, which keep them in registers. Measured on PoCL; other devices have what CLBlast
// knows of them.
Status tune_for_processor(cl_device_id device) {
  using clblast::OverrideParameters;
  using enum clblast::Precision;
  const auto products = OverrideParameters(device, "Xgemm", kSingle,
                                           {{"GEMMK", 0},
                                            {"KREG", 1},
                                            {"KWG", 32},
                                            {"KWI", 1},
                                            {"MDIMA", 4},
                                            {"MDIMC", 4},
                                            {"MWG", 64},
                                            {"NDIMB", 4},
                                            {"NDIMC", 4},
                                            {"NWG", 16},
                                            {"SA", 0},
                                            {"SB", 0},
                                            {"STRM", 0},
                                            {"STRN", 0},
                                            {"VWM", 8},
                                            {"VWN", 1}});
  const auto choice =
      OverrideParameters(device, "GemmRoutine", kSingle, {{"XGEMM_MIN_INDIRECT_SIZE", 1}});
  TRY(opencl_did("choosing how CLBlast multiplies", static_cast<cl_int>(products)));
  return opencl_did("choosing how CLBlast multiplies", static_cast<cl_int>(choice));
}

}  // namespace

Error opencl_error(std::string_view what, cl_int status) {
  return {Code::kPlatform, formatted("{}: OpenCL says {}", what, status)};
}

Status opencl_did(std::string_view what, cl_int status) {
  if (status == CL_SUCCESS) return {};
  return opencl_error(what, status);
}

uint32_t opencl_device_count() { return static_cast<uint32_t>(all_devices().size()); }

Result<std::shared_ptr<Hardware>> Hardware::open(const OpenclOptions& options) {
  const std::vector<cl_device_id> all = all_devices();
  if (all.empty())
    return Error{Code::kNotFound, "this machine has no OpenCL device: install an OpenCL driver"};
  if (options.index >= all.size()) {
    return Error{Code::kNotFound, formatted("there is no OpenCL device {}: this machine has {}",
                                            options.index, all.size())};
  }
  std::shared_ptr<Hardware> hardware(new Hardware);
  hardware->whole_ = all[options.index];
  hardware->options_ = options;
  TRY(hardware->take_part(options));
  TRY(hardware->learn());
  TRY(hardware->prepare());
  return hardware;
}

Result<std::shared_ptr<Hardware>> Hardware::again() const { return open(options_); }

// Sub-devices by counts: what lies before the share, if anything does, and the share.
Status Hardware::take_part(const OpenclOptions& options) {
  units_whole_ = TRY(device_number<cl_uint>(whole_, CL_DEVICE_MAX_COMPUTE_UNITS));
  device_ = whole_;
  units_ = units_whole_;
  const uint32_t share = options.share_percent;
  const uint32_t begin = options.share_begin_percent;
  if (share == 0 || share > 100 || begin > 100 - share) {
    return Error{Code::kInvalid,
                 formatted("a share of {} % from {} % on: it lies within 100 %", share, begin)};
  }
  const uint32_t before = units_whole_ * begin / 100;
  const uint32_t wanted = std::max<uint32_t>(units_whole_ * share / 100, 1);
  if (wanted == units_whole_) return {};
  if (before + wanted > units_whole_) {
    return Error{Code::kUnsupported, formatted("the device has {} compute units: no share of {} % "
                                               "begins at {} %",
                                               units_whole_, share, begin)};
  }
  std::vector<cl_device_partition_property> how = {CL_DEVICE_PARTITION_BY_COUNTS};
  if (before > 0) how.push_back(before);
  how.insert(how.end(), {static_cast<cl_device_partition_property>(wanted),
                         CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0});
  std::array<cl_device_id, 2> made{};
  cl_uint count = 0;
  const cl_uint parts = before > 0 ? 2 : 1;
  const cl_int status = clCreateSubDevices(whole_, how.data(), parts, made.data(), &count);
  if (status != CL_SUCCESS || count != parts) {
    return Error{Code::kUnsupported,
                 formatted("the device gives no part of its {} compute units away (OpenCL says "
                           "{}): use all of it",
                           units_whole_, status)};
  }
  part_ = OwnedDevice(made[parts - 1]);
  if (parts == 2) clReleaseDevice(made[0]);
  device_ = *part_;
  units_ = wanted;
  return {};
}

Status Hardware::learn() {
  const auto alignment_bits = TRY(device_number<cl_uint>(device_, CL_DEVICE_MEM_BASE_ADDR_ALIGN));
  alignment_ = std::max<uint64_t>(alignment_bits / 8, 64);
  memory_bytes_ = TRY(device_number<cl_ulong>(device_, CL_DEVICE_GLOBAL_MEM_SIZE));
  buffer_bytes_max_ = TRY(device_number<cl_ulong>(device_, CL_DEVICE_MAX_MEM_ALLOC_SIZE));
  const auto group = TRY(device_number<size_t>(device_, CL_DEVICE_MAX_WORK_GROUP_SIZE));
  const auto compiles = TRY(device_number<cl_bool>(device_, CL_DEVICE_COMPILER_AVAILABLE));
  const auto little = TRY(device_number<cl_bool>(device_, CL_DEVICE_ENDIAN_LITTLE));
  if (group >= kGroupItems && compiles == CL_TRUE && little == CL_TRUE) return {};
  return Error{Code::kUnsupported,
               "the device compiles no kernels, or has groups that are too "
               "small or the wrong byte order"};
}

Status Hardware::prepare() {
  cl_int status = CL_SUCCESS;
  context_ = OwnedContext(clCreateContext(nullptr, 1, &device_, nullptr, nullptr, &status));
  TRY(opencl_did("making a context", status));
  const auto type = TRY(device_number<cl_device_type>(device_, CL_DEVICE_TYPE));
  return (type & CL_DEVICE_TYPE_CPU) != 0 ? tune_for_processor(device_) : Status{};
}

Result<OwnedKernel> Hardware::make_kernel(const RecipeLaunch& launch) {
  const std::lock_guard held(lock_);
  OwnedProgram& program = programs_[launch.defines + launch.source->name];
  cl_int status = CL_SUCCESS;
  if (!program.present()) {
    std::array<const char*, 2> texts = {launch.defines.c_str(), launch.source->text};
    OwnedProgram made(
        clCreateProgramWithSource(*context_, texts.size(), texts.data(), nullptr, &status));
    TRY(opencl_did("making a program", status));
    status = clBuildProgram(*made, 1, &device_, "", nullptr, nullptr);
    if (status != CL_SUCCESS) {
      std::string log(4096, '\0');
      size_t size = 0;
      clGetProgramBuildInfo(*made, device_, CL_PROGRAM_BUILD_LOG, log.size(), log.data(), &size);
      log.resize(std::min(size, log.size()));
      return opencl_error(
          formatted("building '{}' with '{}': {}", launch.source->name, launch.defines, log),
          status);
    }
    program = std::move(made);
  }
  OwnedKernel kernel(clCreateKernel(*program, launch.kernel.c_str(), &status));
  TRY(opencl_did("making a kernel", status));
  return kernel;
}

Result<OwnedBuffer> Hardware::make_buffer(uint64_t bytes) {
  const uint64_t whole = (std::max<uint64_t>(bytes, 1) + alignment_ - 1) / alignment_ * alignment_;
  cl_int status = CL_SUCCESS;
  OwnedBuffer buffer(clCreateBuffer(*context_, CL_MEM_READ_WRITE, whole, nullptr, &status));
  if (status == CL_SUCCESS) return buffer;
  return Error{Code::kUnavailable, formatted("the device has no {} bytes (OpenCL says {}): free "
                                             "buffers",
                                             whole, status)};
}

Result<OwnedBuffer> Hardware::make_part(cl_mem whole, uint64_t offset, uint64_t bytes) {
  const cl_buffer_region region = {offset, bytes};
  cl_int status = CL_SUCCESS;
  OwnedBuffer part(
      clCreateSubBuffer(whole, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &status));
  TRY(opencl_did("taking a part of a buffer", status));
  return part;
}

Result<OwnedLane> Hardware::take_lane() {
  const std::lock_guard held(lock_);
  if (!idle_.empty()) {
    OwnedLane lane = std::move(idle_.back());
    idle_.pop_back();
    return lane;
  }
  cl_int status = CL_SUCCESS;
  OwnedLane lane(clCreateCommandQueue(*context_, device_, 0, &status));
  TRY(opencl_did("making a queue", status));
  return lane;
}

void Hardware::give_lane(OwnedLane lane) {
  const std::lock_guard held(lock_);
  idle_.push_back(std::move(lane));
}

Status Hardware::finish(cl_command_queue lane) {
  cl_event raw = nullptr;
  TRY(opencl_did("ending commands", clEnqueueMarkerWithWaitList(lane, 0, nullptr, &raw)));
  const OwnedEvent last(raw);
  return opencl_did("waiting for commands", clWaitForEvents(1, &raw));
}

}  // namespace casemate::driver
