// SPDX-License-Identifier: Apache-2.0
// The list that the conformance test goes through: this driver alone.
#include "isolated/driver/conformance/drivers.h"
#include "examples/new_driver/new_driver.h"

namespace casemate::driver {

const std::vector<Driver>& drivers() {
  static const std::vector<Driver> all = {{"abacus", make_abacus}};
  return all;
}

}  // namespace casemate::driver
