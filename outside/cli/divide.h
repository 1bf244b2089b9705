// SPDX-License-Identifier: Apache-2.0
#pragma once
// divide(): cuts models over the devices that a system file names for them. casemate-inspect
// measures each node on each device, behind walls, and says which runs what; with a device that is
// preferred, that runs what it takes.
//
//   Owns     nothing.
//   Threads  one.
//   Trust    what the inspector says may be what the model's author wants it to say: it is a list
//            of numbers, which the model's own enclave checks, and which is measured with it.
//   Fails    as the inspector does, with the model's name, and kUnsupported for a model that cannot
//            be cut.

#include "outside/launch/repository.h"
#include "outside/launch/system_file.h"

namespace casemate::cli {

// Fills ModelSettings::cut where devices are named. Models that are not in the repository are left
// to who describes the system.
Status divide(launch::SystemFile& file, const std::vector<launch::ModelFiles>& models,
              const std::string& programs);

}  // namespace casemate::cli
