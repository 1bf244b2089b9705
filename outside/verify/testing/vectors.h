// SPDX-License-Identifier: Apache-2.0
#pragma once
// Evidence of real hardware that others published: files in ../shared/data/attestation beside the
// checkout. They are no part of it, and tests that need them are skipped where they are missing.
//
//   Owns     nothing.
//   Threads  pure functions.
//   Trust    test code: no shipped program may link this folder.
//   Fails    with nothing where the files are not there; a file that is missing among others stops
//            the process.

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace casemate::verify::testing {

bool have_vectors();
// Requires: have_vectors().
std::vector<uint8_t> vector_file(std::string_view name);
// All files, by their paths below the folder.
std::vector<std::string> vector_names();
// How far it is from one byte of a file that is changed to the next: `usual`, or one where
// CASEMATE_WHOLE is set (`./dev test --whole`).
size_t vector_step(size_t usual);

}  // namespace casemate::verify::testing

// In a test: skips it where there are no vectors.
#define NEEDS_VECTORS()                             \
  if (!::casemate::verify::testing::have_vectors()) \
  GTEST_SKIP() << "../shared/data/attestation, evidence that others published, is not there"
