// SPDX-License-Identifier: Apache-2.0
#pragma once
// Device evidence: what the operator has of an accelerator, a GPU's answer or an endorsement of its
// driver, goes into the description, from where the monitor hands it on unread.
//
//   Owns     nothing.
//   Threads  pure functions of the file system.
//   Trust    none is needed: verifiers judge it.
//   Fails    kInvalid, kNotFound, kTooLarge with what was given and what to do.

#include <span>
#include <string>

#include "base/result.h"
#include "wire/abi/system.h"

namespace casemate::launch {

// Each of `given` is DEVICE=FILE, such as npu:0=FILE, for the device of some partition.
Status add_device_evidence(SystemDescription& description, std::span<const std::string> given);

}  // namespace casemate::launch
