// SPDX-License-Identifier: Apache-2.0
#include "wire/sealed/release.h"

namespace casemate::sealed {

KeyBinding binding_of(const KeyRequest& request, const Nonce& nonce) {
  KeyBinding binding;
  binding.package = request.package;
  binding.nonce = nonce;
  binding.name = request.name;
  binding.version = request.version;
  return binding;
}

Status check_form(const KeyRequest& request) {
  if (request.magic == KeyRequest::kMagic && request.name.canonical() &&
      request.public_key_bytes <= request.public_key.size())
    return {};
  return Error{Code::kInvalid, "the key request is none of this build's"};
}

Status check_form(const WrappedKey& wrapped) {
  if (wrapped.magic == WrappedKey::kMagic && wrapped.reserved == ByteArray<7>{}) return {};
  return Error{Code::kInvalid, "the wrapped key is none of this build's"};
}

}  // namespace casemate::sealed
