// SPDX-License-Identifier: Apache-2.0
#pragma once
// describe(): a system file, a model repository and the built programs become the flat description
// that the monitor takes.

#include <memory>

#include "outside/launch/repository.h"
#include "outside/launch/system_file.h"
#include "wire/abi/system.h"

namespace casemate::launch {

// Fails with kInvalid when a partition names a model that is not in the repository or that another
// one serves, a core that this machine lacks, or is called like a model's own partition, or when
// the shares of a partition's models are more than there is; kTooLarge when a limit of
// base/limits.h is passed.
Result<std::unique_ptr<SystemDescription>> describe(const SystemFile& file,
                                                    const std::vector<ModelFiles>& models,
                                                    const std::string& programs);

}  // namespace casemate::launch
