// SPDX-License-Identifier: Apache-2.0
#pragma once
// Private folders: those that only this user can enter, so that what lies in them was put there by
// him.
//
//   Owns     nothing.
//   Threads  any.
//   Trust    who else may write to the folder above can only keep us from making ours.
//   Fails    kDenied for a folder that somebody else can enter or owns: its mode is not changed,
//            since it may be meant.

#include <string>

#include "base/result.h"

namespace casemate::launch {

// `variable` is the one of the environment that names another folder, for the refusal.
Status check_private_folder(const std::string& folder, const std::string& variable);
// Makes it unless it is there.
Status make_private_folder(const std::string& folder, const std::string& variable);

}  // namespace casemate::launch
