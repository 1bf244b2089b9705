// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/nvidia/testing/gpu.h"

#include "base/check.h"
#include "base/format.h"

namespace casemate::verify::nvidia::testing {
namespace {

constexpr int64_t kEndOfTime = 253'402'300'799;  // 9999-12-31T23:59:59Z
constexpr size_t kChain = 5;

void append(std::vector<uint8_t>& bytes, Bytes more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

}  // namespace

std::vector<uint8_t> block_of(uint8_t index, Bytes value) {
  const auto size = static_cast<uint8_t>(value.size());
  std::vector<uint8_t> block = {index, 1, static_cast<uint8_t>(size + 3), 0, 1, size, 0};
  append(block, value);
  return block;
}

std::vector<uint8_t> opaque_field(uint16_t type, Bytes value) {
  std::vector<uint8_t> field = {static_cast<uint8_t>(type), static_cast<uint8_t>(type >> 8),
                                static_cast<uint8_t>(value.size()),
                                static_cast<uint8_t>(value.size() >> 8)};
  append(field, value);
  return field;
}

Gpu::Gpu(size_t count) {
  for (size_t i = 0; i < kChain; ++i) {
    auto key = SigningKey::generate();
    CHECK(key, "tests need a working libcrypto");
    keys.push_back(*std::move(key));
    certificates.push_back({.name = formatted("authority {}", i),
                            .issuer = formatted("authority {}", i == 0 ? 0 : i - 1),
                            .authority = i + 1 < kChain,
                            .not_after = kEndOfTime,
                            .serial = static_cast<long>(i)});
  }
  const std::vector<uint8_t> fwid(48, 0xf1);
  std::vector<uint8_t> info = {0x30, 0x32};
  append(info, fwid);
  certificates.back().extensions.emplace_back("2.23.133.5.4.1", info);
  request = {0x11, 0xe0, 1, 0xff};
  append(request, std::vector<uint8_t>(32, 0xa0));
  request.push_back(0);
  response = {0x11, 0x60, 0, 0};
  for (size_t i = 1; i <= count; ++i)
    blocks.push_back(
        block_of(static_cast<uint8_t>(i), std::vector<uint8_t>(48, static_cast<uint8_t>(i))));
  device_nonce.assign(32, 0xb0);
  append(opaque, opaque_field(3, bytes_of(std::string_view("550.90.07"))));
  append(opaque, opaque_field(6, std::vector<uint8_t>{0x96, 0, 0x9f, 0, 1}));
  append(opaque, opaque_field(20, fwid));
}

std::vector<uint8_t> Gpu::signed_bytes() const {
  std::vector<uint8_t> bytes = request;
  append(bytes, response);
  size_t size = 0;
  for (const auto& block : blocks) size += block.size();
  bytes.push_back(static_cast<uint8_t>(blocks.size()));
  for (int shift = 0; shift < 24; shift += 8) bytes.push_back(static_cast<uint8_t>(size >> shift));
  for (const auto& block : blocks) append(bytes, block);
  append(bytes, device_nonce);
  bytes.push_back(static_cast<uint8_t>(opaque.size()));
  bytes.push_back(static_cast<uint8_t>(opaque.size() >> 8));
  append(bytes, opaque);
  return bytes;
}

std::vector<uint8_t> Gpu::evidence() const {
  std::vector<uint8_t> bytes = signed_bytes();
  const auto signature = keys.back().sign(bytes);
  CHECK(signature, "tests need a working libcrypto");
  append(bytes, *signature);
  return bytes;
}

Collateral Gpu::collateral() const {
  Collateral collateral;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto der = issue(certificates[i], keys[i], keys[i == 0 ? 0 : i - 1]);
    CHECK(collateral.add("", der), "a certificate that was just made is one");
  }
  return collateral;
}

Rules Gpu::rules() const {
  Rules rules;
  rules.roots = {sha384(keys.front().public_der())};
  return rules;
}

}  // namespace casemate::verify::nvidia::testing
