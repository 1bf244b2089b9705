// SPDX-License-Identifier: Apache-2.0
// casemate-npu with an accelerator that answers wrongly or faults in every job; or with the fake
// device, whose fifth command never ends and never says so: the simulated accelerator would, when
// its cycles are used up.
#include <cstdlib>

#include "isolated/driver/enclave/device_program.h"
#include "isolated/driver/fake/fake.h"
#include "isolated/driver/npu_device/npu_device.h"

namespace {

using namespace casemate;

Result<std::unique_ptr<driver::Device>> open_device(const driver::DeviceProgram::Room& room) {
  const uint64_t memory_bytes = room.enclave_bytes / driver::DeviceProgram::kPart;
  using enum npu::Misbehaviour::Kind;
#if defined(MISBEHAVIOUR_hang)
  return driver::make_fake({.memory_bytes = memory_bytes, .hang_at = 5});
#elif defined(MISBEHAVIOUR_wrong_answer)
  return driver::make_npu({.memory_bytes = memory_bytes, .misbehaviour = {.kind = kWrongAnswer}});
#else
  return driver::make_npu({.memory_bytes = memory_bytes, .misbehaviour = {.kind = kFault}});
#endif
}

}  // namespace

int main() {
  const char* options = std::getenv("CASEMATE_OPTIONS");
  driver::DeviceProgram program(options != nullptr ? options : "", open_device,
                                driver::DeviceProgram::When::kBefore);
  return enclave::run_template(program, {lockdown::Filter::kModel, 1});
}
