// SPDX-License-Identifier: Apache-2.0
#pragma once

// Headers of the standard library that many files include: compiled once (cmake/component.cmake).
// Each makes all others a little slower, so that what few files include is not here.
#include <algorithm>
#include <array>
#include <cstdint>
#include <expected>
#include <format>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>
