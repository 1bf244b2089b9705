// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: a model as a file that is mapped, as the program gets it.

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "base/fd.h"
#include "base/mapping.h"
#include "base/memory_file.h"

namespace casemate::inspect {

inline Mapping mapped(const std::string& bytes) {
  const Fd fd = *make_memory_file("model");
  EXPECT_EQ(::write(fd.number(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return *Mapping::shared(fd.number(), bytes.size(), false);
}

}  // namespace casemate::inspect
