// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/private_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/format.h"

namespace casemate::launch {

Status check_private_folder(const std::string& folder, const std::string& variable) {
  struct stat facts{};
  // Not through a link: who can make one here could turn it at any time.
  if (::lstat(folder.c_str(), &facts) != 0) {
    return Error{
        errno == ENOENT ? Code::kNotFound : Code::kPlatform,
        formatted("{}: {}; set {} to a folder of yours", folder, std::strerror(errno), variable)};
  }
  const char* wrong = !S_ISDIR(facts.st_mode)       ? "is no folder"
                      : facts.st_uid != ::geteuid() ? "belongs to somebody else"
                      : (facts.st_mode & 077) != 0  ? "can be entered by others (chmod 700 it)"
                                                    : nullptr;
  if (wrong == nullptr) return {};
  return Error{Code::kDenied,
               formatted("{}: {}, and must be a folder that only this user can enter; correct "
                         "it, or set {} to another",
                         folder, wrong, variable)};
}

Status make_private_folder(const std::string& folder, const std::string& variable) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{Code::kPlatform, formatted("{}: cannot be made ({}); set {} to a folder of yours",
                                            folder, std::strerror(errno), variable)};
  }
  return check_private_folder(folder, variable);
}

}  // namespace casemate::launch
