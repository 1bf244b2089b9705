// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/snp/roots.h"

namespace casemate::verify::snp {
namespace {

consteval uint8_t digit(char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); }

consteval Sha384Digest digest(std::string_view hex) {
  Sha384Digest value{};
  for (size_t i = 0; i < value.size(); ++i)
    value[i] = static_cast<uint8_t>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
  return value;
}

constexpr std::array<Root, 3> kVendorRoots = {
    {{Product::kMilan, digest("1249f67f15cf229a4069195e1a9ce537d1765ef706a1f4a1"
                              "23c36be9518786515d25ecc007f366b564d2b3f31c48082e")},
     {Product::kGenoa, digest("32ab53a6ce5ec14926207396e5c475ae768a6a9831b7e860"
                              "b5acf2e1c1dff222bc5a8bfc43eb5e06393189c1f246d880")},
     {Product::kTurin, digest("3475f08a9727f8ac9a1deaea5f2a2097aa59d64d05c2a678"
                              "c229c873e6359d3a6926287a2a22cd5f88a385e333a2fcc5")}}};

}  // namespace

std::vector<Root> vendor_roots() { return {kVendorRoots.begin(), kVendorRoots.end()}; }

}  // namespace casemate::verify::snp
