// SPDX-License-Identifier: Apache-2.0
#pragma once
// Release: how an enclave gets the key of its package, in three messages.
//
//   enclave   KeyRequest {package, HPKE public key}      -> relay
//   relay     + nonce of the service, evidence           -> service
//   service   WrappedKey {HPKE(key)}                     -> enclave
//
// The evidence names the HPKE key: the root's claims, for this use alone, and the monitor's token
// have its hash, and the token's nonce is proof_nonce() of the service's and that hash. So the
// relay, which belongs to the operator, can carry these messages or not, and read nothing.
//
// HPKE is RFC 9180's base mode with DHKEM(P-384, HKDF-SHA384), HKDF-SHA384 and AES-256-GCM; its
// info is the KeyBinding, so that an answer to one question is none to another.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    everything may be made up; check_form() looks at lengths and magic alone.
//   Fails    kInvalid and what is wrong.

#include "wire/sealed/sealed.h"

namespace casemate::sealed {

struct KeyRequest {
  static constexpr uint64_t kMagic = 0x51455259454B5343;  // "CSKEYREQ"
  uint64_t magic = kMagic;
  uint32_t version = 0;
  uint32_t public_key_bytes = 0;
  PackageId package{};
  Text<64> name;
  ByteArray<128> public_key{};  // SPKI DER
  Nonce nonce{};                // of the service; filled in by the relay
};
static_assert(sizeof(KeyRequest) == 256);

struct WrappedKey {
  static constexpr uint64_t kMagic = 0x50525759454B5343;  // "CSKEYWRP"
  uint64_t magic = kMagic;
  Nonce nonce{};
  ByteArray<97> encapsulated{};  // an uncompressed point
  ByteArray<7> reserved{};
  ByteArray<48> sealed_key{};  // 32 bytes and the tag
};
static_assert(sizeof(WrappedKey) == 192);

struct KeyBinding {
  ByteArray<24> purpose{"casemate key release 1"};
  PackageId package{};
  Nonce nonce{};
  Text<64> name;
  uint32_t version = 0;
};
static_assert(sizeof(KeyBinding) == 140);

KeyBinding binding_of(const KeyRequest& request, const Nonce& nonce);

Status check_form(const KeyRequest& request);
Status check_form(const WrappedKey& wrapped);

}  // namespace casemate::sealed
